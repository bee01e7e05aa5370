"""The journal as text: its lines, its compaction, its recovery after damage or power loss."""

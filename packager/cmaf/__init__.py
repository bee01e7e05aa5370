"""ISO base media: bytes in, chunks out; the little of ISO/IEC 14496-12 that CMAF needs."""

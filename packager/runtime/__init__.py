"""The shell of the packager: processes, files, clocks and tasks."""

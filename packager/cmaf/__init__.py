"""CMAF tracks as bytes: the subset of ISO/IEC 14496-12 that CMAF needs."""

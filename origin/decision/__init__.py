"""The HTTP contract: a request, a timeline and an instant in, a plan out."""

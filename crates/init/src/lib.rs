//! Number 1.

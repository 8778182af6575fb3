//! Number 1.

pub mod protocol;

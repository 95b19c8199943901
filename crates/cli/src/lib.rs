//! The command line, diamond: speaks HTTP only.

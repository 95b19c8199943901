//! The simulator through its front door.

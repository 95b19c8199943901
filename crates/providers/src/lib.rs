//! One folder per AI service: requests to build, answers to read, usage to meter. No I/O.

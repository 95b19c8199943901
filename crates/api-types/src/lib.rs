//! Request and response bodies of the HTTP API, shared by server and command line.

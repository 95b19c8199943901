//! What tests need of the outside: a throwaway PostgreSQL, ports, processes.

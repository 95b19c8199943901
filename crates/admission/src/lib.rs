//! Who may do what, how much: tokens, scopes, policy, budgets, in memory.

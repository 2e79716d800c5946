//! What the system gives and takes: clock, signals, service manager, log.

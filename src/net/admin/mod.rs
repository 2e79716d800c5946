//! The operator's port: status page, JSON, metrics and the control socket.

//! A stream as segments in play order: what comes next, how long a list holds, what has left.

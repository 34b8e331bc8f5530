//! Counters and gauges for operators.

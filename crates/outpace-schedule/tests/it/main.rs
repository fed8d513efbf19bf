//! The scheduler as its callers see it: rules by example, laws by random runs, and a simulation of whole runs.

mod laws;
mod load;
mod makespan;
mod marked;
mod marked_laws;
mod marked_world;
mod own_queues;
mod plans;
mod scale;
mod spans;
mod timed;
mod unit_model;
mod units;
mod world;

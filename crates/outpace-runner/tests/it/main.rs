//! The event loop with real processes: workers that misbehave, a controller that vanishes.

mod controller;
mod faults;
mod run;

//! The doctor's conclusions, in a made-up world where the causes are known.

mod course;
mod pairings;
mod records;
mod reports;
mod shrinking;
mod touching;
mod world;

//! A run in a world without processes: every order of events, in virtual time.

mod cores;
mod debugger;
mod laws;
mod marked;
mod script;
mod stories;
mod timeline;
mod world;

//! The HTTP API of Worklete, and the `worklete` binary.
//!
//! Thin: a handler turns HTTP into a command and a result into HTTP. What may be done, and by whom, is decided in the domain
//! crates; how it is stored, in the adapters. [`compose`] wires the three.

mod body;
mod caller;
pub mod cli;
pub mod compose;
pub mod config;
mod docs_page;
mod doctor;
mod door;
mod error;
mod finish;
mod health;
mod id_list;
mod import_command;
mod limits;
mod maintenance;
mod metrics;
pub mod openapi;
mod paging;
mod routes;
mod search;
mod seed;
pub mod server;
mod storage;
mod streams;
mod visitor;
mod workers;

mod audit;
mod champions;
mod courses;
mod jobs;
mod memberships;
mod orgs;
mod refinements;
mod rosters;
mod teams;
mod training;
mod users;

//! Who trains what, over HTTP: training categories, job titles and course pools.

mod dto;
pub(crate) mod handlers;

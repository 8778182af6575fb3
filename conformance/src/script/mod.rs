//! The language of the cases: [`words`] and [`verb`] say what there is, [`parse`] reads, [`case`] and [`call`] hold.

pub mod call;
pub mod case;
pub mod parse;
pub mod verb;
pub mod words;

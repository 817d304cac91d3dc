// SPDX-License-Identifier: GPL-2.0

//! What was measured, as a line of JSON.

use std::collections::BTreeMap;

use serde::{
    Deserialize,
    Serialize, //
};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// Something measured.
    Record(Record),
    /// Something about the machine.
    Fact(Fact),
}

/// What one measure said about one subject in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What was measured: a driver and the ID of its device, as `rust-41`; `floor-41`; `sim`.
    pub subject: String,
    /// The round, counted from 1.
    pub round: u32,
    /// The measure, as `get`.
    pub measure: String,
    /// How many lines one operation is about, or the device has.
    pub lines: u32,
    /// How many threads there are.
    pub threads: u32,
    /// The results, by name. A name ends with the unit where there is one, as `median_ns`.
    pub values: BTreeMap<String, f64>,
}

/// Something about the machine that the numbers depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is.
    pub fact: String,
    /// Its value.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let record = r#"{"subject":"rust-41","round":2,"measure":"get","lines":8,"threads":1,"values":{"count":3.0}}"#;
        let fact = r#"{"fact":"clock","value":"tsc"}"#;
        assert!(matches!(
            serde_json::from_str(record).unwrap(),
            Entry::Record(record) if record.lines == 8 && record.values["count"] == 3.0
        ));
        assert!(matches!(
            serde_json::from_str(fact).unwrap(),
            Entry::Fact(fact) if fact.value == "tsc"
        ));
        assert!(serde_json::from_str::<Entry>(r#"{"fact":"clock"}"#).is_err());
    }
}

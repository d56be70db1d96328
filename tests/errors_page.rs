//! `docs/errors.md` has a row for each reason, under its codes, and for no other.

use std::collections::BTreeSet;

use tonic::Code;
use user_service::{error, wires};

const PAGE: &str = include_str!("../docs/errors.md");

#[test]
fn every_reason_has_a_row_with_its_code_and_no_other_has() {
    let mut described = BTreeSet::new();
    let mut heading = "";
    for line in PAGE.lines() {
        if line.starts_with("## ") {
            heading = line;
        }
        if let Some((name, row)) = line.strip_prefix("| `").and_then(|row| row.split_once("` |")) {
            assert!(described.insert(name), "{name} twice");
            let code = code(name).unwrap_or_else(|| panic!("{name} is no reason"));
            let number = format!("({})", code as i32);
            assert!(row.contains(&number) || heading.contains(&number), "{name} is {code:?}");
        }
    }
    let ours = error::Reason::ALL.iter().map(|reason| reason.as_str());
    let wires = wires::Reason::ALL.iter().map(|reason| reason.as_str());
    assert_eq!(described, ours.chain(wires).collect());
}

fn code(name: &str) -> Option<Code> {
    let ours = error::Reason::ALL.iter().find(|reason| reason.as_str() == name);
    let wires = wires::Reason::ALL.iter().find(|reason| reason.as_str() == name);
    ours.map(|reason| reason.code()).or(wires.map(|reason| reason.code()))
}

//! Cuts a script that parts two worlds down to the steps that matter.

use crate::script::case::Case;

/// Removes steps as long as `parts` says yes, and returns what is left.
///
/// First in halves, then in ever smaller pieces, at last one by one until no single step can go.
pub fn shrink(case: &Case, mut parts: impl FnMut(&Case) -> bool) -> Case {
    let mut best = case.clone();
    let mut piece = best.steps.len().div_ceil(2).max(1);
    loop {
        let smaller = remove_pieces(&best, piece, &mut parts);
        let shrunk = smaller.steps.len() < best.steps.len();
        best = smaller;
        if piece == 1 && !shrunk {
            return best;
        }
        piece = if piece > 1 { piece / 2 } else { 1 };
    }
}

/// Tries to do without each piece, the last one first: what comes last depends most and is depended on least.
fn remove_pieces(case: &Case, piece: usize, parts: &mut impl FnMut(&Case) -> bool) -> Case {
    let mut best = case.clone();
    let mut end = best.steps.len();
    while end > 0 {
        let start = end.saturating_sub(piece);
        let mut candidate = best.clone();
        candidate.steps.drain(start..end);
        if parts(&candidate) {
            best = candidate;
        }
        end = start;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::parse;

    #[test]
    fn what_is_left_is_what_matters() {
        let text: String = (0..40).map(|index| format!("top: kill {index} 0\n")).collect();
        let case = parse::cases("test", &format!("case many\n{text}")).unwrap().remove(0);
        let has = |case: &Case, number: &str| {
            case.steps.iter().any(|step| step.call.to_string() == format!("kill {number} 0"))
        };
        let small = shrink(&case, |case| has(case, "3") && has(case, "31"));
        assert_eq!(small.steps.len(), 2);
    }
}

//! A crowd whose uplinks are too slow: as much as came late of one segment is taken of the next
//! at once.

use super::script::origin;

/// So many peers elsewhere have all of each segment, of 31 blocks, and give none of the first
/// `late` ones in time. Then follows what `after` says, from the moment 30000 on.
fn slow(peers: usize, late: u32, after: &str) -> String {
    let names = || (0..peers).map(|name| format!("p{name}"));
    let mut script = String::from("0 rate 4000000\n");
    script.extend(names().map(|name| format!("0 join {name} wan\n0 seek {name}\n")));
    for number in 0..late {
        let from = number * 10_000;
        script += &format!("{from} want {number} in 3000 31\n");
        script.extend(names().map(|name| format!("{from} have {name} {number} 0-30 - 0\n")));
        script += &format!("{} drop {number}\n", from + 4000);
    }
    script + after
}

/// What is taken of a segment as a part, and when.
fn parts(script: &str) -> Vec<String> {
    let asked = origin(script);
    asked.into_iter().filter(|step| step.ends_with("elected")).collect()
}

#[test]
fn what_was_late_of_a_segment_is_taken_of_the_next_at_once() {
    let parts = parts(&slow(10, 3, "30000 want 3 in 3000 31\n30100 end"));
    assert_eq!(parts, ["20000 2 20-22 elected", "30000 3 14-18 elected"]);
}

#[test]
fn once_late_is_chance() {
    let asked = origin(&slow(10, 1, "30000 want 3 in 3000 31\n30100 end"));
    assert!(!asked.is_empty() && asked.iter().all(|step| step.ends_with("late")), "{asked:?}");
}

#[test]
fn what_is_there_soon_needs_less_of_the_origin() {
    let soon = "30000 want 3 in 3000 31
                30100 block 3 0-30 origin
                30100 drop 3
                31000 want 4 in 3000 31
                31100 block 4 0-30 origin
                31100 drop 4
                32000 want 5 in 3000 31
                32100 block 5 0-30 origin
                32100 drop 5
                33000 want 6 in 3000 31
                33100 end";
    let parts = parts(&slow(10, 3, soon));
    let of = |number: char| parts.iter().find(|part| part.chars().nth(6) == Some(number));
    assert_eq!(of('3').map(String::as_str), Some("30000 3 14-18 elected"));
    assert_eq!(of('6'), None, "{parts:?}");
}

#[test]
fn few_are_no_crowd() {
    let asked = origin(&slow(8, 3, "30000 want 3 in 3000 31\n30100 end"));
    assert!(!asked.is_empty() && asked.iter().all(|step| step.ends_with("late")), "{asked:?}");
}

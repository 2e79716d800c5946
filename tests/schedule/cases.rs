//! One node: what it asks of whom, and when it goes to the origin.

use super::script::check;

#[test]
fn who_leads_goes_once_announcements_had_their_time() {
    check(
        "order own a b
         0 join a home
         0 join b home
         0 seek a
         0 seek b
         0 want 1 in 20000 7
         3000 end",
        "20..25 origin 1 0-6 elected",
    );
}

#[test]
fn who_is_second_waits_a_rank() {
    check(
        "order a own b
         0 join a home
         0 join b home
         0 seek a
         0 seek b
         0 want 1 in 20000 7
         3000 end",
        "170..275 origin 1 0-6 elected",
    );
}

#[test]
fn nobody_else_is_waited_for_where_nobody_is() {
    check("0 want 1 in 20000 7", "0 origin 1 0-6 nobody");
    check("0 join a home\n0 want 1 in 20000 7\n100 end", "20..25 origin 1 0-6 nobody");
}

#[test]
fn playlists_do_not_make_an_origin_slow() {
    check(
        "order a own
         0 join a home
         0 seek a
         0 rate 2000000
         0 playlists 600
         0 want 1 in 3500 7
         100 end",
        "",
    );
}

#[test]
fn a_leader_that_announces_is_waited_for() {
    check(
        "order a own
         0 join a home
         0 seek a
         0 want 1 in 20000 7
         40 have a 1 - 0-6 0
         400 have a 1 0-1 2-6 0
         401 block 1 0 a
         402 block 1 1 a
         800 have a 1 0-6 - 0
         801 end",
        "400 ask a 1 0-1
         800 ask a 1 2-6",
    );
}

#[test]
fn a_leader_that_dies_is_followed_by_the_next_rank() {
    check(
        "order a b own
         0 join a home
         0 join b home
         0 seek a
         0 seek b
         0 want 1 in 20000 7
         40 have a 1 - 0-6 0
         300 gone a
         3000 end",
        "450..550 origin 1 0-6 elected",
    );
    // Silent is as good as gone, after the time of its fetch; b goes first and is silent too.
    check(
        "order a b own
         0 join a home
         0 join b home
         0 seek a
         0 seek b
         0 want 1 in 20000 7
         40 have a 1 - 0-6 0
         1000 have b 1 - 0-6 0
         4000 end",
        "1700..2100 origin 1 0-6 elected",
    );
}

#[test]
fn who_says_again_that_it_fetches_is_waited_for() {
    let script = |tier, hops| {
        format!(
            "order a own
             0 join a {tier}
             0 seek a
             0 want 1 in 20000 7
             40 have a 1 - 0-6 {hops}
             700 have a 1 - 0-6 {hops}
             1400 have a 1 - 0-6 {hops}
             2200 end"
        )
    };
    check(&script("home", 0), "");
    // By hearsay it is no sign.
    check(&script("wan", 1), "1300..1500 origin 1 0-6 elected");
}

#[test]
fn another_link_to_the_same_peer_changes_nothing() {
    let script = |happens| {
        format!(
            "order a b own
             0 join a home
             0 seek a
             0 want 1 in 20000 7
             40 have a 1 - 0-6 0
             300 join b home
             300 {happens}
             300 gone a
             800 have b 1 0-6 - 0
             950 end"
        )
    };
    check(&script("replaces a b"), "800 ask b 1 0-6");
    check(&script("seek b"), "450..600 origin 1 0-6 elected");
}

#[test]
fn two_that_learn_at_once_do_not_both_go() {
    check(
        "order a own
         0 join a home
         0 seek a
         0 want 1 in 20000 7
         25 have a 1 - 0-6 0
         500 end",
        "",
    );
}

#[test]
fn hearsay_suspends_a_turn_within_four_hops() {
    let script = |hops| {
        format!(
            "order own a
             0 join a wan
             0 seek a
             0 want 1 in 20000 7
             200 have a 1 - 0-6 {hops}
             700 end"
        )
    };
    check(&script(3), "");
    check(&script(4), "250..291 origin 1 0-6 elected");
}

#[test]
fn a_witness_has_a_lead() {
    check(
        "order own w
         0 join w home witness
         0 seek w
         0 want 1 in 20000 7
         5000 end",
        "470..571 origin 1 0-6 elected",
    );
}

/// So many homes elsewhere and a witness, which has all of what is wanted, in this tier.
fn crowd(homes: u32, tier: &str) -> String {
    let homes: String = (0..homes).map(|n| format!("0 join h{n} wan\n0 seek h{n}\n")).collect();
    format!(
        "{homes}0 join w {tier} witness
         0 want 1 in 20000 7
         20 have w 1 0-6 - 0
         900 block 1 0,5 w
         2500 end"
    )
}

#[test]
fn in_a_crowd_a_witness_alone_is_not_waited_for() {
    let alone = "20 ask w 1 0,5\n900 ask w 1 3";
    check(&crowd(7, "wan"), alone);
    check(&crowd(8, "wan"), &format!("{alone}\n1041 origin 1 1-2,4,6 elected"));
    check(&crowd(9, "home"), "20 ask w 1 0-6");
}

#[test]
fn what_a_near_one_has_is_not_asked_of_a_far_one() {
    // One of the same provider takes 217 ms for a third block, one elsewhere 205 for its first.
    let script = |happens| {
        format!(
            "order a own
             0 join a isp
             0 join b wan
             0 seek a
             0 seek b
             0 have a 1 0-6 - 0
             0 have b 1 0-6 - 0
             {happens}
             0 want 1 in 20000 7
             10 end"
        )
    };
    check(&script("0 end"), "0 ask a 1 0-2,5");
    check(&script("0 choke a"), "0 ask b 1 1,5");
}

#[test]
fn a_session_begins_at_the_origin_unless_the_home_has_it() {
    check("0 join a home\n0 want 1 in 0 7 urgent", "0 origin 1 0-6 first");
    check("0 join a home\n0 want 1 in 0 64 urgent unknown", "0 origin 1 whole first");
    check(
        "0 join a home
         0 have a 1 0-6 - 0
         0 want 1 in 0 7 urgent
         5 block 1 0-6 a
         500 end",
        "0 ask a 1 0-6",
    );
    // Who is on the same stream at home has a moment to say what is there.
    check(
        "0 join a home
         0 seek a
         0 want 1 in 0 64 urgent unknown
         15 have a 1 0-6 - 0
         16 known 1 7
         30 block 1 0-6 a
         500 end",
        "16 ask a 1 0-6",
    );
    let asked = "order a own\n0 join a home\n0 seek a\n0 want 1 in 0 7 urgent\n90 end";
    check(asked, "50..51 origin 1 0-6 first");
    // It is trusted for a moment only.
    check(
        "0 join a home
         0 have a 1 0-6 - 0
         0 want 1 in 0 7 urgent
         50 block 1 0-2 a
         400 end",
        "0 ask a 1 0-6
         100..121 origin 1 3-6 first",
    );
    check(
        "0 join a wan
         0 have a 1 0-6 - 0
         0 want 1 in 0 7 urgent
         0 end",
        "0 origin 1 0-6 first",
    );
}

#[test]
fn nothing_is_asked_of_peers_without_a_record() {
    check(
        "order a own
         0 join a home
         0 seek a
         0 want 1 in 20000 64 unknown
         10 have a 1 0-6 - 0
         700 known 1 7
         701 end",
        "700 ask a 1 0-6",
    );
}

#[test]
fn the_origin_is_gone_to_while_it_can_still_make_it() {
    // A MiB a second: 31 blocks take 1938 ms, and 250 ms are kept in hand.
    check(
        "order a own
         0 rate 1048576
         0 join a home
         0 seek a
         0 want 1 in 3500 32
         15 have a 1 - 0-31 0
         700 have a 1 0 1-31 0
         701 block 1 0 a
         3000 end",
        "700 ask a 1 0
         1312..1313 origin 1 1-31 late",
    );
    // With half of them here it is gone to a second later.
    check(
        "order a own
         0 rate 1048576
         0 join a home
         0 seek a
         0 want 1 in 3500 32
         15 have a 1 - 0-31 0
         700 have a 1 0-15 16-31 0
         701 block 1 0-15 a
         1540 have a 1 0-16 17-31 0
         1541 block 1 16 a
         3000 end",
        "700 ask a 1 0-15
         1540 ask a 1 16
         2312..2313 origin 1 17-31 late",
    );
}

#[test]
fn who_shares_a_line_does_not_press_the_origin_as_one_does_alone() {
    // The other's fetch has the same line: 250 ms are kept in hand, not 750.
    check(
        "order a own
         0 rate 1048576
         0 join a home
         0 seek a
         0 want 1 in 4000 32
         15 have a 1 - 0-31 0
         700 have a 1 0 1-31 0
         701 block 1 0 a
         1400 have a 1 0-1 2-31 0
         1401 block 1 1 a
         3000 end",
        "700 ask a 1 0
         1400 ask a 1 1
         1874..1876 origin 1 2-31 late",
    );
    // A bad quarter of an hour behind it is no reason for all to go at once.
    check(
        "order a own
         0 rate 200000
         0 playlists 65536
         0 playlists 131072
         0 join a home
         0 seek a
         0 want 1 in 3600 7
         100 end",
        "",
    );
}

#[test]
fn what_peers_give_in_time_stays_with_them() {
    check(
        "order a own
         0 rate 1048576
         0 join a wan
         0 seek a
         0 want 1 in 3000 16
         15 have a 1 - 0-15 0
         600 have a 1 0 1-15 0
         601 block 1 0 a
         1250 have a 1 0-3 4-15 0
         1350 block 1 1 a
         1360 block 1 2 a
         1370 block 1 3 a
         1500 end",
        "600 ask a 1 0
         1250 ask a 1 1-3
         1312..1313 origin 1 4-15 late",
    );
}

#[test]
fn a_far_end_shares_what_nobody_has_in_stripes() {
    // Of eight groups each goes to the one that ranks first for it, whoever waits longer.
    check(
        "order own a b
         0 join a home
         0 join b home
         0 seek a
         0 seek b
         0 want 1 in 20000 32
         30 have a 1 - 8-11,24-27 0
         35 have b 1 - 16-19,28-31 0
         800 have a 1 8 9-11,24-27 0
         820 end",
        "20..21 origin 1 0-7,12-15,20-23 elected
         800 ask a 1 8",
    );
}

#[test]
fn a_liar_is_never_asked_again() {
    check(
        "order a own
         0 join a home
         0 join b home
         0 seek a
         0 have a 1 0-6 - 0
         0 want 1 in 20000 7
         5 have b 1 0-6 - 0
         10 bad a
         12 have a 1 0-6 - 0
         12 want 2 in 20000 7
         14 have a 2 0-6 - 0
         40 end",
        "0 ask a 1 0-6
         10 ask b 1 0-6
         32..33 origin 2 0-6 nobody",
    );
}

#[test]
fn who_chokes_is_not_asked_until_it_gives_again() {
    check(
        "order a own
         0 join a home
         0 join b home
         0 seek a
         0 have a 1 0-6 - 0
         0 want 1 in 20000 7
         10 choke a
         500 have b 1 3 - 0
         510 unchoke a
         520 end",
        "0 ask a 1 0-6
         500 ask b 1 3
         510 ask a 1 0-2,4-6",
    );
}

#[test]
fn what_was_denied_is_not_asked_again_for_a_while() {
    check(
        "order a b own
         0 join a home
         0 join b home
         0 seek a
         0 seek b
         0 have a 1 0-6 - 0
         0 have b 1 - 0-6 0
         0 want 1 in 20000 7
         10 deny a 1 2-3
         20 have b 1 0-6 - 0
         21 block 1 2-3 b
         22 block 1 0,1,4-6 a
         2000 end",
        "0 ask a 1 0-6
         20 ask b 1 2-3",
    );
}

#[test]
fn a_late_block_is_asked_of_a_second_peer_when_time_is_short() {
    check(
        "order a own
         0 rate 4194304
         0 join a home
         0 join b home
         0 seek a
         0 have a 1 0-3 - 0
         0 want 1 in 1300 4
         10 block 1 0-2 a
         20 have b 1 0-3 - 0
         400 block 1 3 b
         500 end",
        "0 ask a 1 0-3
         100..101 ask b 1 3
         400 cancel a 1 3",
    );
}

#[test]
fn a_peer_that_stalls_is_left_alone() {
    check(
        "order a own
         0 join a home
         0 join b home
         0 seek a
         0 have a 1 0-3 - 0
         0 want 1 in 20000 4
         500 have b 1 0-3 - 0
         1300 block 1 0-3 b
         1400 end",
        "0 ask a 1 0-3
         500..800 cancel a 1 0-3
         500..800 ask b 1 0-3",
    );
    // Where nobody else has them they are taken back, and soon asked for again.
    check(
        "order a own
         0 join a home
         0 seek a
         0 have a 1 0-3 - 0
         0 want 1 in 20000 4
         1700 end",
        "0 ask a 1 0-3
         1000..1210 cancel a 1 0-3
         1500..1700 ask a 1 0-1",
    );
}

#[test]
fn the_faster_peer_is_asked_and_the_slow_one_only_where_it_helps() {
    check(
        "order a own
         0 join far wan
         0 join near home
         0 seek far
         0 have far 1 0-31 - 0
         0 have near 1 0-31 - 0
         0 want 1 in 20000 24
         10 block 1 0-4 near
         11 end",
        "0 ask near 1 0-2,5,7-9,11-12,14-16,18-19,21-22
         10 ask near 1 10,13,20",
    );
}

#[test]
fn a_failed_origin_is_left_alone_and_then_asked_again() {
    check(
        "0 want 1 in 20000 7
         100 ended 1 bad
         700 ended 1 bad
         5000 end",
        "0 origin 1 0-6 nobody
         600..601 origin 1 0-6 nobody
         1700..1701 origin 1 0-6 nobody",
    );
}

#[test]
fn what_is_dropped_is_taken_back() {
    check(
        "0 join a home
         0 have a 1 0-6 - 0
         0 want 1 in 20000 7
         10 block 1 0-2 a
         20 drop 1
         2000 end",
        "0 ask a 1 0-6
         20 cancel a 1 3-6",
    );
}

#[test]
fn a_dead_origin_leaves_peers_to_serve_however_late() {
    check(
        "0 join a wan
         0 want 1 in 0 4 urgent
         100 ended 1 bad
         200 have a 1 0-3 - 0
         500 block 1 0-3 a
         900 end",
        "0 origin 1 0-3 first
         200 ask a 1 0-1",
    );
}

#[test]
fn what_the_origin_brings_now_nobody_far_has_to_send_as_well() {
    check(
        "order a own
         0 rate 3145728
         0 join a wan
         0 seek a
         0 have a 1 0-3 - 0
         0 want 1 in 1500 4
         1500 end",
        "0 ask a 1 0-1
         650..700 origin 1 2-3 late
         950..1000 cancel a 1 1
         950..1000 origin 1 1 late
         1000..1050 cancel a 1 0
         1000..1050 origin 1 0 late",
    );
}

#[test]
fn what_peers_leave_too_late_is_taken_by_the_origin_in_time() {
    // Three MiB a second: at 667 ms the origin brings four blocks with 250 ms to spare; who has them
    // at home gets a moment more.
    check(
        "order a own
         0 rate 3145728
         0 join a home
         0 seek a
         0 have a 1 0-3 - 0
         0 want 1 in 1000 4
         1000 end",
        "0 ask a 1 0-3
         750..800 origin 1 0-3 late
         1000 cancel a 1 0-3",
    );
}

#[test]
fn a_slow_own_fetch_is_helped_from_its_end() {
    check(
        "order own a
         0 join a wan
         0 want 1 in 0 7 urgent
         0 have a 1 0-6 - 0
         700 block 1 0-1 origin
         1500 end",
        "0 origin 1 0-6 first
         1188 ask a 1 5-6",
    );
    // Who has it at home gives it by another way, and what is read next comes first.
    check(
        "order own a
         0 join a home
         0 want 1 in 0 7 urgent
         100 have a 1 0-3 - 0
         1300 end",
        "0 origin 1 0-6 first
         1188 ask a 1 0-3",
    );
    // What it brings next itself is asked of nobody, unless it stands still.
    let script = |until| {
        format!(
            "order own a
             0 join a wan
             0 want 1 in 0 7 urgent
             0 have a 1 0-6 - 0
             1100 block 1 0-5 origin
             {until} end"
        )
    };
    check(&script(1560), "0 origin 1 0-6 first");
    check(&script(2000), "0 origin 1 0-6 first\n1566..1820 ask a 1 6");
}

#[test]
fn while_a_player_waits_its_fetch_has_the_line() {
    let script = |tier, due| {
        format!(
            "order own a
             0 join a {tier}
             0 seek a
             60 want 1 in {due}
             200 have a 2 0-6 - 0
             200 want 2 in 8000 7
             900 block 1 0-6 origin
             1100 end"
        )
    };
    // It has nothing yet, or runs dry before its fetch is over; then it may ask for another one.
    let held = "1000..1001 ask a 2 0,5";
    check(&script("wan", "0 7 urgent"), &format!("60 origin 1 0-6 first\n{held}"));
    check(&script("wan", "300 7"), &format!("60 origin 1 0-6 late\n{held}"));
    // There is time; or what comes has another way.
    check(&script("wan", "800 7"), "60 origin 1 0-6 late\n200 ask a 2 0,5");
    let elected = "81 origin 1 0-6 elected\n200 ask a 2 0-6";
    check(&script("home", "0 7 urgent"), elected);
}

#[test]
fn own_fetches_take_turns_by_when_a_player_runs_dry() {
    // However long peers would have been waited for.
    let script = |first, second| {
        format!(
            "0 want 1 in 500 7 dry {first}
             10 want 2 in 3000 7 dry {second}
             400 block 1 0-6 origin
             600 end"
        )
    };
    let first = "0 origin 1 0-6 late";
    check(&script(9000, 2000), &format!("{first}\n10 origin 2 0-6 nobody"));
    check(&script(2000, 9000), &format!("{first}\n400 origin 2 0-6 nobody"));
}

#[test]
fn own_fetches_that_wait_are_reckoned_with() {
    // The second has to wait two seconds for the first at the origin: its last chance is sooner.
    check(
        "order a own
         0 rate 1048576
         0 want 1 in 60000 32
         1 join a wan
         1 seek a
         1 want 2 in 6000 32
         15 have a 2 - 0-31 0
         700 have a 2 0 1-31 0
         701 block 2 0 a
         2500 end",
        "0 origin 1 0-31 nobody
         700 ask a 2 0
         1313..1315 origin 2 1-31 late",
    );
}

#[test]
fn what_the_own_fetch_has_passed_is_fetched_again() {
    // The second block had to make room before it was whole: the fetch is at the fifth, and will
    // not come back.
    check(
        "0 want 1 in 20000 7
         10 block 1 0,2-3 origin
         20 passed 1 1
         1000 end",
        "0 origin 1 0-6 nobody
         20 origin 1 1 nobody",
    );
}

//! Fixed walks: every kind of fault once, and those that have failed before.

/// Every kind of fault alone, and the pairs that matter most.
pub const EVERY_KIND: &str = "
    rename sub0;
    impostor corp0;
    swap sub0 access0;
    away access0;
    away-impostor sub0;
    delete corp0;
    recreate access0;
    detach sub0;
    replace corp0;
    foreign access0;
    vacant sub0;
    unpin corp0;
    unpin-all + wait 1500;
    state empty;
    state older;
    state garbage;
    state newer;
    state no-log;
    fill;
    freeze;
    kill;
    terminate;
    stop;
    hangup;
    clock 86400 + wait 1500;
    clock -315360000 + wait 1500;
    policy bad;
    policy other;
    policy follows access0;
    exempt add;
    exempt import;
    exempt remove
";

/// Walks that have failed, each with the sentence that it proves.
pub const REGRESSIONS: &[(&str, &str)] = &[
    (
        "a clock that is set back while the daemon runs opens no pool whose date was reached",
        "clock -315360000 + wait 1500",
    ),
    (
        "nor does one that is behind at a start",
        "clock -315360000 + kill + start + wait 1500",
    ),
    (
        "a start without one of the interfaces filters on the others, and on that one when it is there",
        "delete sub0 + kill + start + wait 1000",
    ),
    (
        "so does a start where another program runs on one of them",
        "vacant sub0 + kill + wait 1200 + start",
    ),
    (
        "an interface that took another one's name while no daemon ran is filtered at the start",
        "impostor corp0 + kill + wait 500 + start",
    ),
    (
        "a start under the new name of a renamed interface takes its filter over",
        "policy follows access0 + kill + wait 700 + start",
    ),
    (
        "a filter whose pins were removed outlives a crash after they were made anew",
        "unpin-all + wait 5000 + kill + wait 500 + start",
    ),
    (
        "a store that was emptied or replaced by an older one costs no customer at the next reload",
        "state empty + exempt add + hangup + wait 1500; state older + hangup + wait 1500",
    ),
    (
        "a daemon that is started on a disk that hangs leaves the filter as it is, and goes on when the disk answers",
        "freeze + kill + start + wait 7000",
    ),
];

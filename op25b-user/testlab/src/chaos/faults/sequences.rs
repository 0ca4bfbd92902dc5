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
pub const REGRESSIONS: &[(&str, &str)] = &[];

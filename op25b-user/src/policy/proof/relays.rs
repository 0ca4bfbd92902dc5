//! Proves the tables of relays: each destination has the relay with the longest prefix around it.

use op25b_common::{
    TableRoot,
    lpm::{STEPS_V4, STEPS_V6},
};

use super::{
    Difference, along, difference,
    sweep::{Span, Sweep, sorted},
};
use crate::{
    lpm::AddressFamily,
    policy::{compile::Compiled, model::Policy},
};

/// The relay with the longest prefix around a destination, and its length; of two with the same prefix, which only translation
/// can make, the first in the file.
type Relay = Option<(u8, u32)>;

/// Compares one family's table; returns the number of ranges.
pub(super) fn prove(policy: &Policy, compiled: &Compiled, family: AddressFamily) -> Result<u64, Difference> {
    let (root, steps) = match family {
        AddressFamily::V4 => (TableRoot::RelaysV4, STEPS_V4),
        AddressFamily::V6 => (TableRoot::RelaysV6, STEPS_V6),
    };
    let nets = (0_u32..).zip(&policy.relays).flat_map(|(index, relay)| {
        let nets = relay.prefixes.iter();
        let nets = nets.flat_map(|prefix| policy.nat64.with_translated(prefix.net));
        nets.map(move |net| (net, index))
    });
    let prefixes = sorted(nets.filter_map(|(net, index)| Some((Span::of(family, net)?, index))));
    let mut expected = Sweep::new(&prefixes, None, |outer: &Relay, span, index| match outer {
        Some((length, _)) if *length == span.length => *outer,
        _ => Some((span.length, *index)),
    });
    compiled.tables.walk(root, steps, &mut |first, last, class| {
        along(&mut expected, first, last, |range, relay| {
            let by_policy = relay.map(|(_, index)| index);
            // Class 0 is that of other destinations.
            if class == Some(by_policy.map_or(0, |index| index + 1)) {
                return Ok(());
            }
            let shown = |index: Option<u32>| match index {
                Some(index) => format!("relay number {index}"),
                None => "no relay".to_owned(),
            };
            let by_tables = match class {
                None => "there is no class".to_owned(),
                Some(class) => shown(class.checked_sub(1)),
            };
            Err(difference("relays", family, range, by_tables, shown(by_policy)))
        })
    })?;
    Ok(expected.ranges())
}

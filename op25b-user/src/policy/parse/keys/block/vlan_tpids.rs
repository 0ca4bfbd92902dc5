//! Reads `block.vlan_tpids`.

use op25b_common::{
    framing::{MAX_VLAN_TPIDS, VLAN_TPIDS, protocol_name},
    not_ip::FIRST_ETHERTYPE,
};

use crate::policy::{
    diagnostics::Code,
    parse::{
        values::{Context, Seen},
        yaml::{Located, Node},
    },
};

/// The `EtherType`s of VLAN tags besides the usual ones.
pub(super) fn vlan_tpids<'t>(context: &mut Context<'t>, node: Located<Node<'t>>) -> Vec<u16> {
    let list = node.span;
    let mut seen = Seen::default();
    let mut tpids = Vec::new();
    for item in context.list("vlan_tpids", "EtherTypes of VLAN tags, such as [0x9200]", node) {
        let span = item.span;
        if let Some(tpid) = tpid(context, &item)
            && seen.note(context, span, tpid, |tpid| {
                format!("tag {tpid:#06x} is given twice")
            })
        {
            tpids.push(tpid);
        }
    }
    if tpids.len() > MAX_VLAN_TPIDS {
        let found = tpids.len();
        context.reporter.error(
            list,
            Code::TooManyTpids,
            format!("`vlan_tpids` lists {found} tags, and at most {MAX_VLAN_TPIDS} can be added"),
            "remove those that no equipment on these interfaces writes",
        );
    }
    tpids
}

fn tpid(context: &mut Context<'_>, node: &Located<Node<'_>>) -> Option<u16> {
    let span = node.span;
    let number = match &node.value {
        Node::Integer(number) => u16::try_from(*number).ok(),
        Node::Plain | Node::Text(_) => None,
        Node::Null | Node::Mapping(_) | Node::List(_) => {
            let expected = "a list of EtherTypes, such as [0x9200]";
            context.wrong_type(span, "vlan_tpids", expected, &node.value);
            return None;
        }
    };
    let Some(tpid) = number.filter(|number| *number >= FIRST_ETHERTYPE) else {
        let text = context.reporter.slice(span);
        context.reporter.error(
            span,
            Code::BadTpid,
            format!("`{text}` is not an EtherType"),
            "write the EtherType (TPID) that the equipment writes in its tags, from 0x0600 to 0xffff, such as 0x9200",
        );
        return None;
    };
    if VLAN_TPIDS.contains(&tpid) {
        context.reporter.error(
            span,
            Code::BadTpid,
            format!("{tpid:#06x} is the EtherType of a VLAN tag without being listed"),
            "remove it",
        );
        return None;
    }
    if let Some(protocol) = protocol_name(tpid) {
        let hint = match tpid {
            0x8847 | 0x8848 => "remove it, and set `mpls: true` on the interfaces whose frames have labels",
            _ => "remove it",
        };
        context.reporter.error(
            span,
            Code::BadTpid,
            format!("{tpid:#06x} is the EtherType of {protocol}, not of a VLAN tag"),
            hint,
        );
        return None;
    }
    Some(tpid)
}

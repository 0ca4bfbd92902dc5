//! What is read of the filter in the kernel when somebody asks: the metrics, its status, its subscribers' records.

use anyhow::Context as _;
use jiff::Timestamp;
use tracing::error;

use super::{events::scrapes::Scrape, state::Daemon};
use crate::{
    datapath::{NotIp, not_ip_of, packets_of},
    enforcer::Enforcer,
    policy::Role,
    report::{
        DaemonMetrics, ExemptionStatus, FilterRecords, FilterStatus, InterfaceStatus, Metrics, PolicyStatus,
        State, Status, pool_statuses,
    },
};

impl Daemon {
    /// Answers a scrape; not at all, if the kernel cannot be read.
    pub(super) fn answer_scrape(&mut self, enforcer: &mut Enforcer, scrape: Scrape) {
        // The client may have gone away.
        let answered = match scrape {
            Scrape::Metrics(format, answer) => {
                let metrics = self.metrics(enforcer);
                let text = metrics.and_then(|metrics| Ok(metrics.to_text(format)?));
                text.map(|text| drop(answer.send(text)))
            }
            Scrape::Filter(answer) => self
                .filter_status(enforcer)
                .map(|status| drop(answer.send(status))),
            Scrape::EventCounts(answer) => self
                .packet_events
                .counts(enforcer)
                .map(|counts| drop(answer.send(counts))),
            Scrape::Records(answer) => filter_records(enforcer).map(|records| drop(answer.send(records))),
            Scrape::Note(operation, answer) => {
                self.operations.note(operation);
                // As above.
                let _ = answer.send(());
                Ok(())
            }
            Scrape::Cut(subscribers, answer) => {
                self.history.cut(subscribers, answer);
                Ok(())
            }
            Scrape::Forget(forget, answer) => {
                self.history.forget(forget, answer);
                Ok(())
            }
        };
        if let Err(error) = answered {
            error!("cannot read the filter in the kernel: {error:#}");
        }
    }

    /// The filter as `op25b status` shows it, with the exemptions as they are now.
    fn filter_status(&self, enforcer: &mut Enforcer) -> anyhow::Result<FilterStatus> {
        let has_uplink = enforcer.roles().any(|role| role == Role::Uplink);
        let (active, expired) = enforcer.count_exemptions(Timestamp::now());
        // Read once, so that the interfaces add up to the totals.
        let counters = (enforcer.filter().context("no filter is running")?).counter_table()?;
        let not_ip = not_ip(enforcer)?;
        let attached: Vec<_> = (enforcer.attachments().iter())
            .map(|attachment| (attachment.index, attachment.role))
            .collect();
        let packets = packets_of(&counters, &attached);
        let interfaces = enforcer.attachments().iter().zip(not_ip).zip(packets);
        let interfaces = interfaces.map(|((attachment, not_ip), packets)| InterfaceStatus {
            name: attachment.interface.clone(),
            ifindex: attachment.index,
            role: attachment.role.name().to_owned(),
            xdp: attachment.mode.to_owned(),
            program_id: attachment.program_id,
            not_ip,
            packets: Some(packets),
        });
        let interfaces = interfaces.collect();
        let pools = enforcer.description().pools.clone();
        let filter = enforcer.filter().context("no filter is running")?;
        let map_bytes = filter.map_bytes()?;
        let pool_packets = Some(filter.pool_counts()?);
        let answers = Some(filter.answer_counts()?);
        let ipv6_misses = Some(filter.misses_v6()?);
        let pool_starts = filter.pool_starts(&pools)?;
        let description = enforcer.description();
        Ok(FilterStatus {
            state: State::Enforcing,
            pid: description.pid,
            version: description.version.clone(),
            last_reload: self.reloads.last.clone(),
            policy: PolicyStatus {
                file: description.policy_file.clone(),
                sha256: description.policy_sha256.clone(),
                loaded_at: description.policy_loaded_at(),
                loaded_by: description.loaded_by.clone(),
                lists: description.lists.clone(),
            },
            interfaces,
            pools: pool_statuses(description, Some(&pool_starts), Timestamp::now()),
            relays: description.relays,
            exemptions: ExemptionStatus {
                total: active + expired,
                active,
                expired,
                as_loaded: false,
            },
            ipv6_misses,
            map_bytes,
            counters: counters.of(Role::Subscriber),
            uplink_counters: has_uplink.then(|| counters.of(Role::Uplink)),
            pool_packets,
            answers,
        })
    }

    fn metrics(&self, enforcer: &mut Enforcer) -> anyhow::Result<Metrics> {
        let report = self.report(enforcer);
        let filter = self.filter_status(enforcer)?;
        Ok(Metrics {
            status: Status::of_daemon(report, Some(filter.clone())),
            filter: Some(filter),
            daemon: Some(self.daemon_metrics(enforcer)?),
        })
    }

    /// What only the daemon knows.
    fn daemon_metrics(&self, enforcer: &mut Enforcer) -> anyhow::Result<DaemonMetrics> {
        let events = self.packet_events.counts(enforcer)?;
        let store = enforcer.store_progress();
        Ok(DaemonMetrics {
            started_at: self.started_at,
            next_expiry: enforcer.next_expiry(Timestamp::now()),
            store_revision: store.revision(),
            store_is_writable: store.is_writable(),
            store_backup: store.backup(),
            clock_offset: self.clock.error().ok(),
            blocked: self.history.blocked(),
            ipv6_records: self.history.ipv6_records(),
            events,
            alerts: (enforcer.policy().alerts.is_some()).then(|| self.history.alerts().counts()),
        })
    }
}

/// The frames that are not IP of each interface that the filter runs on.
fn not_ip(enforcer: &mut Enforcer) -> anyhow::Result<Vec<NotIp>> {
    let attachments = enforcer.attachments().iter();
    let indices: Vec<u32> = attachments.map(|attachment| attachment.index).collect();
    let filter = enforcer.filter().context("no filter is running")?;
    Ok(not_ip_of(&filter.not_ip()?, &indices))
}

/// The records of the filter's subscribers, for a thread of its own.
pub(super) fn filter_records(enforcer: &mut Enforcer) -> anyhow::Result<FilterRecords> {
    let interfaces = enforcer.attachments().iter();
    let interfaces = interfaces
        .map(|attachment| attachment.interface.clone())
        .collect();
    let description = enforcer.description().clone();
    let filter = enforcer.filter().context("no filter is running")?;
    Ok(FilterRecords {
        interfaces,
        description,
        records: filter.subscriber_records()?,
    })
}

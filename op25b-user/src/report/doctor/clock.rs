//! The clock by which exemptions end and dates of enforcement begin.

use std::io;

use jiff::Timestamp;

use super::{Check, Line};
use crate::datapath::host::{has_hardware_clock, is_synchronized};

/// No clock of a machine that runs this version is before this: the beginning of 2026.
const EARLIEST: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Examines it.
pub(super) fn lines() -> [Line; 2] {
    [
        clock(Timestamp::now(), &is_synchronized()),
        hardware_clock(has_hardware_clock()),
    ]
}

fn clock(now: Timestamp, is_synchronized: &io::Result<bool>) -> Line {
    const KEEP: &str = "`systemctl enable --now chrony` or systemd-timesyncd; `chronyc tracking` or `timedatectl` shows whether it is";
    if now < EARLIEST {
        return Line::fail(
            Check::Clock,
            format!(
                "the clock says {now}: no exemption has ended by it, and no date of enforcement is reached"
            ),
            format!("`date -s` or an NTP client: {KEEP}"),
        );
    }
    match is_synchronized {
        Ok(true) => Line::ok(Check::Clock, "the clock is kept in step (NTP)"),
        Ok(false) => Line::warn(
            Check::Clock,
            "nothing keeps the clock in step, as far as the kernel knows: exemptions end, and dates of enforcement begin, by a clock \
             that drifts",
            KEEP,
        ),
        Err(error) => Line::unknown(
            Check::Clock,
            format!("whether the clock is kept in step cannot be asked: {error}"),
        ),
    }
}

fn hardware_clock(is_there: Option<bool>) -> Line {
    match is_there {
        Some(true) => Line::ok(
            Check::Rtc,
            "a hardware clock keeps the time while the machine is off",
        ),
        Some(false) => Line::warn(
            Check::Rtc,
            "there is no hardware clock: after a boot the time is an old one until NTP has answered, and exemptions that have ended \
             since are in force again until then",
            "fake-hwclock or systemd-timesyncd, which start with the last time that was known; or an RTC module",
        ),
        None => Line::unknown(
            Check::Rtc,
            "no devices are seen in /sys/class, so whether there is a hardware clock is not known",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::doctor::Grade;

    #[test]
    fn a_clock_in_the_past_fails_and_one_that_drifts_is_warned_of() {
        let now: Timestamp = "2027-03-31T00:00:00Z".parse().unwrap();
        assert_eq!(EARLIEST.to_string(), "2026-01-01T00:00:00Z");
        let past = clock("1970-01-01T00:00:17Z".parse().unwrap(), &Ok(true));
        assert_eq!(past.result, Grade::Fail);
        assert!(past.message.starts_with("the clock says 1970-01-01T00:00:17Z"));
        assert_eq!(clock(now, &Ok(true)).result, Grade::Ok);
        let drifts = clock(now, &Ok(false));
        assert_eq!(drifts.result, Grade::Warn);
        assert!(drifts.remedy.unwrap().contains("chronyc tracking"));
        let unknown = clock(now, &Err(io::Error::from_raw_os_error(libc::EPERM)));
        assert_eq!(unknown.result, Grade::Unknown);
    }

    #[test]
    fn a_machine_that_forgets_the_time_is_warned_of() {
        assert_eq!(hardware_clock(Some(true)).result, Grade::Ok);
        assert!(
            hardware_clock(Some(false))
                .remedy
                .unwrap()
                .starts_with("fake-hwclock")
        );
        assert_eq!(hardware_clock(None).result, Grade::Unknown);
    }
}

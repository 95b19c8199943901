//! The report as a person reads it.

use std::io::{self, Write};

use crate::{
    report::{Report, ScenarioReport},
    statistics::Spread,
};

/// Writes it as Markdown.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let (machine, settings) = (&report.machine, &report.settings);
    writeln!(out, "# Figures of diamond-server beside bare floors\n")?;
    writeln!(
        out,
        "- Machine: {}, {} cores, {} MiB, Linux {}; {}, {} profile.",
        machine.processor,
        machine.cores,
        grouped(machine.memory_mib),
        machine.kernel,
        machine.rustc,
        machine.profile
    )?;
    writeln!(
        out,
        "- Disk of the server's data: {}; appending 4 KiB durably takes {} µs (median).",
        machine.file_system,
        figure(machine.sync_p50_us)
    )?;
    writeln!(
        out,
        "- {} runs of {} s each, targets in turns; {} keep-alive connections in a closed loop; median \
         (min–max) of the runs.",
        settings.runs, settings.seconds, settings.connections
    )?;
    writeln!(
        out,
        "- Load generator, upstream and the measured server share these cores, and nothing is pinned: \
         requests per second and latencies are those of the whole machine. CPU is the measured \
         process's own (user + system, 10 ms ticks) and carries over best."
    )?;
    if machine.profile != "release" {
        writeln!(
            out,
            "- **Not a release build: these figures show that the benchmark works, nothing else.**"
        )?;
    }
    for scenario in &report.scenarios {
        write_scenario(scenario, out)?;
    }
    Ok(())
}

fn write_scenario(scenario: &ScenarioReport, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n## `{}`: {}\n", scenario.scenario, scenario.title)?;
    writeln!(
        out,
        "| target | requests/s | p50 µs | p99 µs | p99.9 µs | CPU µs/request | RSS MiB |\n\
         |---|---|---|---|---|---|---|"
    )?;
    for target in &scenario.targets {
        let summary = &target.summary;
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            target.name,
            cell(&summary.requests_per_second),
            cell(&summary.p50_us),
            cell(&summary.p99_us),
            cell(&summary.p999_us),
            cell(&summary.cpu_us_per_request),
            cell(&summary.resident_mib)
        )?;
    }
    writeln!(out)?;
    if let (Some(over), Some(beyond)) = (&scenario.cpu_over_floor, &scenario.cpu_beyond_floor_us) {
        writeln!(
            out,
            "- CPU against its floor: {:.2}× ({:.2}–{:.2}), that is {} µs more a request.",
            over.median,
            over.min,
            over.max,
            cell(beyond)
        )?;
    }
    for check in &scenario.checks {
        writeln!(out, "- Checked: {check}.")?;
    }
    Ok(())
}

fn cell(spread: &Spread) -> String {
    format!(
        "{} ({}–{})",
        figure(spread.median),
        figure(spread.min),
        figure(spread.max)
    )
}

/// A hundred and more in whole numbers, less with one digit after the point.
fn figure(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", grouped(value.abs().round() as u64))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::two_rounds;

    #[test]
    fn numbers_are_as_long_as_they_are_worth() {
        assert_eq!(figure(7.54), "7.5");
        assert_eq!(figure(123.4), "123");
        assert_eq!(figure(1_234_567.8), "1,234,568");
        assert_eq!(figure(-1_500.0), "-1,500");
        assert_eq!(
            [grouped(0), grouped(999), grouped(1000)],
            ["0", "999", "1,000"]
        );
    }

    #[test]
    fn a_scenario_is_a_table_its_ratio_and_what_was_checked() {
        let mut text = Vec::new();
        write_scenario(&two_rounds(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let expected = "\n## `key`: a key is handed out\n\n\
            | target | requests/s | p50 µs | p99 µs | p99.9 µs | CPU µs/request | RSS MiB |\n\
            |---|---|---|---|---|---|---|\n\
            | bare axum | 10,000 (10,000–10,000) | 640 (640–640) | 1,234 (1,234–1,234) \
            | 20,000 (20,000–20,000) | 9.0 (8.0–10.0) | 12.5 (12.5–12.5) |\n\
            | diamond-server | 10,000 (10,000–10,000) | 640 (640–640) | 1,234 (1,234–1,234) \
            | 20,000 (20,000–20,000) | 20.0 (20.0–20.0) | 12.5 (12.5–12.5) |\n\n\
            - CPU against its floor: 2.25× (2.00–2.50), that is 11.0 (10.0–12.0) µs more a request.\n\
            - Checked: everything was counted.\n";
        assert_eq!(text, expected);
    }
}

//! The report as a person reads it.

use std::io::{self, Write};

use crate::{
    report::{Comparison, Report, ScenarioReport, StartReport},
    scenario::Role,
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
        "- {} runs of {} s each, targets in turns; keep-alive connections, each sending its next \
         request when it has the answer (`gateway-rate`: {} requests a second whatever comes back, \
         latencies from the time at which each should have been sent); median (min–max) of the runs.",
        settings.runs, settings.seconds, settings.rate
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
    match &report.starts {
        Some(starts) => write_starts(starts, out),
        None => Ok(()),
    }
}

fn write_scenario(scenario: &ScenarioReport, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n## `{}`: {}\n", scenario.scenario, scenario.title)?;
    let first_byte = scenario.scenario.leaves_room();
    let (heads, rules) = match first_byte {
        true => (" first byte p50 µs | first byte p99 µs |", "---|---|"),
        false => ("", ""),
    };
    writeln!(
        out,
        "| target | requests/s |{heads} p50 µs | p99 µs | p99.9 µs | CPU µs/request | RSS MiB |\n\
         |---|---|{rules}---|---|---|---|---|"
    )?;
    for target in &scenario.targets {
        let summary = &target.summary;
        write!(
            out,
            "| {} | {} |",
            target.name,
            cell(&summary.requests_per_second)
        )?;
        if first_byte {
            let (p50, p99) = (&summary.first_byte_p50_us, &summary.first_byte_p99_us);
            write!(out, " {} | {} |", cell(p50), cell(p99))?;
        }
        writeln!(
            out,
            " {} | {} | {} | {} | {} |",
            cell(&summary.p50_us),
            cell(&summary.p99_us),
            cell(&summary.p999_us),
            cell(&summary.cpu_us_per_request),
            cell(&summary.resident_mib)
        )?;
    }
    writeln!(out)?;
    for comparison in &scenario.comparisons {
        write_comparison(scenario, comparison, out)?;
    }
    write_facts(scenario, out)?;
    write_records(scenario, out)?;
    for check in &scenario.checks {
        writeln!(out, "- Checked: {check}.")?;
    }
    Ok(())
}

fn write_comparison(
    scenario: &ScenarioReport,
    comparison: &Comparison,
    out: &mut impl Write,
) -> io::Result<()> {
    let name = comparison.name;
    if comparison.against != Role::Direct {
        let over = &comparison.cpu_over;
        writeln!(
            out,
            "- CPU against {name}: **{:.2}×** ({:.2}–{:.2}), that is {} µs more a request.",
            over.median,
            over.min,
            over.max,
            cell(&comparison.cpu_beyond_us)
        )?;
    }
    if scenario.scenario.leaves_room() {
        writeln!(
            out,
            "- Added to {name}: first byte p50 {} µs, p99 {} µs; whole answer p50 {} µs, p99 {} µs.",
            cell(&comparison.added_first_byte_p50_us),
            cell(&comparison.added_first_byte_p99_us),
            cell(&comparison.added_p50_us),
            cell(&comparison.added_p99_us)
        )?;
    }
    Ok(())
}

/// Requests that are many facts, fact by fact.
fn write_facts(scenario: &ScenarioReport, out: &mut impl Write) -> io::Result<()> {
    let facts = scenario.scenario.facts_per_request();
    if facts == 1 {
        return Ok(());
    }
    let facts = facts as f64;
    for target in &scenario.targets {
        let summary = &target.summary;
        writeln!(
            out,
            "- {}: {} events a second, {:.2} µs CPU an event.",
            target.name,
            figure(summary.requests_per_second.median * facts),
            summary.cpu_us_per_request.median / facts
        )?;
    }
    Ok(())
}

fn write_records(scenario: &ScenarioReport, out: &mut impl Write) -> io::Result<()> {
    let records = &scenario.records;
    let opened = match records.opened_bytes {
        0 => String::new(),
        bytes => format!("{bytes} bytes not waited for, then "),
    };
    writeln!(
        out,
        "- {} connections. Written for a request, by the server and the floor that appends: \
         {opened}{} × {} bytes, durable.",
        scenario.connections, records.records, records.record_bytes
    )
}

fn write_starts(starts: &StartReport, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n## `start`: from the start of the process to its first answers\n\n\
         | what starts | ready ms | first key ms | CPU ms until then | idle RSS MiB | peak RSS MiB |\n\
         |---|---|---|---|---|---|"
    )?;
    for target in &starts.targets {
        let key = target.first_key_ms.as_ref();
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            target.name,
            cell(&target.ready_ms),
            key.map_or_else(|| "–".to_owned(), cell),
            cell(&target.cpu_ms),
            cell(&target.idle_mib),
            cell(&target.peak_mib)
        )?;
    }
    writeln!(out)?;
    for check in &starts.checks {
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
    use crate::{report::tests::two_rounds, scenario::Scenario};

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
    fn a_scenario_is_a_table_its_ratios_and_what_was_checked() {
        let mut text = Vec::new();
        write_scenario(&two_rounds(Scenario::Key), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let same = "1,234 (1,234–1,234) | 20,000 (20,000–20,000)";
        let expected = format!(
            "\n## `key`: a key is handed out\n\n\
            | target | requests/s | p50 µs | p99 µs | p99.9 µs | CPU µs/request | RSS MiB |\n\
            |---|---|---|---|---|---|---|\n\
            | bare axum | 10,000 (10,000–10,000) | 500 (500–500) | {same} \
            | 9.0 (8.0–10.0) | 12.5 (12.5–12.5) |\n\
            | bare axum + append | 10,000 (10,000–10,000) | 600 (600–600) | {same} \
            | 16.0 (16.0–16.0) | 12.5 (12.5–12.5) |\n\
            | diamond-server | 10,000 (10,000–10,000) | 640 (640–640) | {same} \
            | 20.0 (20.0–20.0) | 12.5 (12.5–12.5) |\n\n\
            - CPU against bare axum: **2.25×** (2.00–2.50), that is 11.0 (10.0–12.0) µs more a \
            request.\n\
            - CPU against bare axum + append: **1.25×** (1.25–1.25), that is 4.0 (4.0–4.0) µs more \
            a request.\n\
            - 64 connections. Written for a request, by the server and the floor that appends: \
            1 × 333 bytes, durable.\n\
            - Checked: everything was counted.\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn latencies_are_compared_where_there_is_room() {
        let text = |scenario| {
            let mut text = Vec::new();
            write_scenario(&two_rounds(scenario), &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        let rated = text(Scenario::GatewayRate);
        assert!(
            rated.contains("whole answer p50 40.2 (40.2–40.2) µs"),
            "{rated}"
        );
        assert!(!text(Scenario::Gateway).contains("Added to"));
        assert!(text(Scenario::UsageBatch).contains("10,000,000 events a second, 0.02 µs CPU"));
    }
}

package io.ambo.hatests.sim;

import io.ambo.hatests.report.Json;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ambo sim}: many seeds, or one again. Progress goes to standard error, the result to standard output. Ends with 0 when all passed, 1 when one failed. */
@Command(name = "sim", description = "The whole cluster in one thread from one seed, again and again.")
public final class SimCommand implements Callable<Integer> {
    private static final long PROGRESS_EVERY_NS = 5_000_000_000L;

    @Option(names = "--seeds", paramLabel = "COUNT", description = "how many seeds to run", defaultValue = "1000")
    private int seeds = 1000;

    @Option(names = "--from", paramLabel = "SEED", description = "the first of them", defaultValue = "1")
    private long from = 1;

    @Option(names = "--seed", paramLabel = "SEED", description = "run this one alone")
    private long seed = Long.MIN_VALUE;

    @Option(names = "--log", paramLabel = "FILE", description = "with --seed: every event into this file, each line with the conversation's number in front (0: the cluster)")
    private @Nullable Path wholeLog;

    @Option(names = "--keep-going", description = "run the others too when a seed has failed")
    private boolean keepGoing;

    @Option(names = "--json", description = "the result as JSON")
    private boolean json;

    private final List<Simulation.Outcome> failed = new ArrayList<>();
    private long run;
    private long events;
    private long packets;
    private long forwarded;
    private long established;
    private long faults;
    private long views;
    private long merges;
    private long clashes;

    @Override
    public Integer call() {
        if (seeds < 1) throw new IllegalArgumentException("--seeds = " + seeds + ": at least 1");
        boolean one = seed != Long.MIN_VALUE;
        if (wholeLog != null && !one) throw new IllegalArgumentException("--log " + wholeLog + ": of one seed only, name it with --seed");
        long first = one ? seed : from;
        long last = one ? seed : from + seeds - 1;
        long began = System.nanoTime();
        long shown = began;
        for (long each = first; each <= last && (failed.isEmpty() || keepGoing); each++) {
            add(run(each));
            long now = System.nanoTime();
            if (now - shown < PROGRESS_EVERY_NS) continue;
            shown = now;
            System.err.printf("%d of %d seeds, %d failed, %d seeds/s%n", run, last - first + 1, failed.size(),
                    run * 1_000_000_000L / (now - began));
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        if (json) System.out.print(Json.write(summary(first, seconds)));
        else
            print(first, seconds);
        System.out.flush();
        return failed.isEmpty() ? 0 : 1;
    }

    private Simulation.Outcome run(long each) {
        if (wholeLog == null) return Simulation.run(each, Parts.AS_SHIPPED);
        try (PrintStream to = new PrintStream(new BufferedOutputStream(Files.newOutputStream(wholeLog)), false, StandardCharsets.UTF_8)) {
            return Simulation.run(each, Parts.AS_SHIPPED, to);
        } catch (IOException failed) {
            throw new UncheckedIOException("cannot write " + wholeLog, failed);
        }
    }

    private void add(Simulation.Outcome outcome) {
        run++;
        events += outcome.events();
        packets += outcome.packets();
        forwarded += outcome.forwarded();
        established += outcome.established();
        faults += outcome.faults();
        views += outcome.views();
        merges += outcome.merges();
        clashes += outcome.clashes();
        if (outcome.passed()) return;
        failed.add(outcome);
        System.err.printf("seed %d failed: %s%n", outcome.seed(), outcome.violation());
    }

    private void print(long first, double seconds) {
        for (Simulation.Outcome each : failed) {
            System.out.printf("seed %d failed at commit %s%n  %s%n  %s%n", each.seed(), commit(), each.violation(), each.scenario());
            for (String line : each.history()) System.out.println("    " + line);
            System.out.printf("  again: ./ambo sim --seed %d%n", each.seed());
        }
        System.out.printf("%s: seeds %d to %d, %d failed, %.1f s%n", failed.isEmpty() ? "passed" : "FAILED", first, first + run - 1,
                failed.size(),
                seconds);
        System.out.printf("%,d events, %,d packets, %,d forwarded, %,d conversations established%n", events, packets, forwarded,
                established);
        System.out.printf("%,d faults, %,d views, %,d merges, %,d clashes of incarnations%n", faults, views, merges, clashes);
    }

    private Map<String, Object> summary(long first, double seconds) {
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("passed", failed.isEmpty());
        summary.put("commit", commit());
        summary.put("first_seed", first);
        summary.put("seeds", run);
        summary.put("seconds", Math.round(seconds * 10) / 10.0);
        summary.put("events", events);
        summary.put("packets", packets);
        summary.put("packets_forwarded", forwarded);
        summary.put("conversations_established", established);
        summary.put("faults", faults);
        summary.put("views", views);
        summary.put("merges", merges);
        summary.put("clashes", clashes);
        summary.put("failed", failed.stream().map(SimCommand::describe).toList());
        return summary;
    }

    private static Map<String, Object> describe(Simulation.Outcome outcome) {
        Map<String, Object> described = new LinkedHashMap<>();
        described.put("seed", outcome.seed());
        described.put("violation", String.valueOf(outcome.violation()));
        described.put("scenario", outcome.scenario());
        described.put("again", "./ambo sim --seed " + outcome.seed());
        described.put("history", outcome.history());
        return described;
    }

    /** As the launcher knows it. */
    private static String commit() { return System.getProperty("ambo.commit", "unknown"); }
}

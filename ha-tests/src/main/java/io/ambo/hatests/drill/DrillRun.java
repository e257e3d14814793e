package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.HdrHistogram.Histogram;

/**
 * One run of a drill: what it may use and where it says what it measured. Drills run on one thread; figures and checks are recorded on that thread only.
 */
public final class DrillRun {
    /** A line of log4j at a level that nobody should see in a drill, or an exception that nobody caught. */
    private static final Pattern ERROR_LINE = Pattern.compile(".*\\b(ERROR|FATAL)\\b.*|Exception in thread .*|^# A fatal error.*");

    private final String name;
    private final int scalePercent;
    private final boolean full;
    private final PrintStream progress;
    private final Path directory;
    private final long beganNs = System.nanoTime();
    private final List<DrillResult.Figure> figures = new ArrayList<>();
    private final List<DrillResult.Check> checks = new ArrayList<>();
    private final Map<String, Histogram> latencies = new LinkedHashMap<>();
    private final List<Site> sites = new ArrayList<>();
    private final StandingLab standing;

    /**
     * What a drill has built or taken over.
     *
     * @param logged characters that each node had logged before
     */
    private record Site(String id, List<LabNode> nodes, List<Integer> logged, Consumer<Boolean> end) {}

    /** @param standing where a lab stays for the next drill */
    DrillRun(String name, int scalePercent, boolean full, PrintStream progress, Path directory, StandingLab standing) {
        this.standing = standing;
        this.name = name;
        this.full = full;
        this.scalePercent = scalePercent;
        this.progress = progress;
        this.directory = directory;
    }

    /** Builds a lab; the drill starts the nodes. The runner takes it down and keeps the nodes' logs. */
    public Lab lab(Policy policy) {
        return lab(policy, Lab.Shape.PAIR);
    }

    public Lab lab(Policy policy, Lab.Shape shape) {
        progress("building the lab");
        Lab lab = Lab.build(policy, shape);
        addSite(lab.id(), lab.nodes(), passed -> lab.close());
        return lab;
    }

    private void addSite(String id, List<LabNode> nodes, Consumer<Boolean> end) {
        sites.add(new Site(id, nodes, nodes.stream().map(node -> node.logText().length()).toList(), end));
    }

    /** Builds a line and starts its nodes, both or a alone, beside the processor that sends. */
    public Line runningLine(Policy policy, boolean withPeer) {
        progress("building the line");
        Line line = Line.build(policy);
        List<LabNode> nodes = withPeer ? List.of(line.a(), line.b()) : List.of(line.a());
        addSite(line.id(), nodes, passed -> line.close());
        progress("starting " + (withPeer ? "nodes a and b" : "node a"));
        for (LabNode node : nodes) node.start();
        for (LabNode node : nodes) node.awaitMembers(nodes.size());
        return line;
    }

    /**
     * A lab whose nodes run: the one that the drill before has left whole, when its policy and shape are the same, or a new one. Its sessions, counters and events may be those of earlier
     * drills too: only differences count.
     */
    public Lab runningLab(Policy policy) { return runningLab(policy, Lab.Shape.PAIR); }

    public Lab runningLab(Policy policy, Lab.Shape shape) {
        Lab left = standing.take(policy, shape);
        if (left == null) progress("building the lab");
        Lab lab = left == null ? Lab.build(policy, shape) : left;
        addSite(lab.id(), lab.nodes(), passed -> standing.leave(lab, policy, shape, passed));
        progress(left == null ? "starting " + shape.nodes() + " nodes, mode " + shape.mode() : "the lab of the drill before");
        if (left == null) lab.startNodes();
        return lab;
    }

    /** The figures that are promised, instead of as much as an ordinary test has time for. */
    public boolean isFull() { return full; }

    /** A count of the full drill, reduced when the command line asks for a smaller one. */
    public int scaled(int full) {
        return Math.max(1, (int) ((long) full * scalePercent / 100));
    }

    /** Tells the person who waits what happens now. */
    public void progress(String sentence) {
        progress.printf(Locale.ROOT, "drill %s %5.1f s  %s%n", name, (System.nanoTime() - beganNs) / 1e9, sentence);
        progress.flush();
    }

    /** Records a measured number. */
    public void figure(String what, double value, String unit) {
        figures.add(new DrillResult.Figure(what, value, unit));
    }

    public void figure(String what, long value, String unit) { figure(what, (double) value, unit); }

    /** Records whether what the drill must show was so. */
    public void check(String sentence, boolean passed, String found) {
        checks.add(new DrillResult.Check(sentence, passed, found));
        if (!passed) progress("FAILED: " + sentence + "; found: " + found);
    }

    public void checkEqual(String sentence, long found, long expected) {
        check(sentence, found == expected, found == expected ? Long.toString(found) : found + ", expected " + expected);
    }

    /** Records a distribution of latencies in nanoseconds: p50, p99 and the maximum become figures, the whole a line of the plot. */
    public void latency(String what, Histogram histogram) {
        latencies.put(what, histogram);
        figure(what + ", p50", histogram.getValueAtPercentile(50) / 1e3, "µs");
        figure(what + ", p99", histogram.getValueAtPercentile(99) / 1e3, "µs");
        figure(what + ", max", histogram.getMaxValue() / 1e3, "µs");
        progress(String.format(Locale.ROOT, "%s: p50 %.0f µs, p99 %.0f µs, max %.0f µs", what, histogram.getValueAtPercentile(50) / 1e3,
                histogram.getValueAtPercentile(99) / 1e3, histogram.getMaxValue() / 1e3));
    }

    /** Waits for a condition. @return whether it came true in time */
    public static boolean await(long limitMs, BooleanSupplier condition) {
        long deadlineNs = System.nanoTime() + limitMs * 1_000_000;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadlineNs) return condition.getAsBoolean();
            Pause.ms(5);
        }
        return true;
    }

    /** Takes the labs down and gives the result. An error in a node's log that no drill asked for is a failed check. */
    DrillResult finish(String shows) {
        for (Site site : sites) {
            for (int i = 0; i < site.nodes.size(); i++) checkLog(site.id, site.nodes.get(i), site.logged.get(i));
            boolean passed = checks.stream().allMatch(DrillResult.Check::passed);
            if (!passed) site.nodes.forEach(this::printCounters);
            site.end.accept(passed);
        }
        return new DrillResult(name, shows, List.copyOf(checks), List.copyOf(figures), latencies,
                (System.nanoTime() - beganNs) / 1_000_000);
    }

    /** Where a drill failed, what the nodes counted is the first thing to look at. */
    private void printCounters(LabNode node) {
        if (!node.isRunning()) return;
        try {
            String counted = node.control().counters().entrySet().stream().filter(counter -> counter.getValue() != 0)
                    .sorted(Map.Entry.comparingByKey())
                    .map(counter -> counter.getKey() + "=" + counter.getValue()).collect(Collectors.joining(" "));
            progress("node " + node.name() + " counted: " + counted);
        } catch (LabException silent) {
            progress("node " + node.name() + " does not answer: " + silent.getMessage());
        }
    }

    private void checkLog(String site, LabNode node, int from) {
        List<String> errors = node.logText().substring(from).lines().filter(line -> ERROR_LINE.matcher(line).matches()).toList();
        check("node " + node.name() + " logged no error", errors.isEmpty(),
                errors.isEmpty() ? "none" : errors.size() + ", the first: " + errors.getFirst());
        try {
            if (Files.exists(node.log()))
                Files.copy(node.log(), directory.resolve(site + "-" + node.name() + ".log"), StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException failed) {
            progress("the log of node " + node.name() + " could not be kept: " + failed.getMessage());
        }
    }
}

package io.ambo.hatests.bench;

import io.ambo.hatests.lab.Command;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.report.Json;
import io.ambo.hatests.report.LatencyPlot;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Generator;
import io.ambo.hatests.traffic.Generator.Load;
import io.ambo.hatests.traffic.Probe;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Future;
import org.HdrHistogram.Histogram;

/**
 * One-way delays through Java and through the kernel's fast path: alone, at half load, and with the garbage collector forced all the time. A datagram's time is
 * taken when the sender hands it to its kernel, and when the receiver's XDP program sees it.
 */
final class Latency {
    private static final int PROBES_PER_SECOND = 5_000, PROBE_FLOWS = 50, LOAD_FLOWS = 1_000, SENDER_CPU = 0, JVM_CPU = 1,
            WARM_UP_MS = 4_000;
    private static final int SLOW_LOAD = 60_000, GC_INTERVAL_MS = 250;
    private static final double[] PERCENTILES = { 50, 90, 99, 99.9, 99.99 };
    /** Longer p99 with the collector than without, in microseconds, that still counts as no effect: the two runs differ by as much without it. */
    private static final double NO_EFFECT_US = 5;

    private final int seconds;
    private final PrintStream progress;
    private final Map<String, Histogram> delays = new LinkedHashMap<>();
    private final Map<String, Long> lost = new LinkedHashMap<>();

    Latency(int seconds, PrintStream progress) {
        this.seconds = seconds;
        this.progress = progress;
    }

    /** @return the table, or the same as JSON */
    String run(Path directory, boolean json) {
        for (boolean fast : new boolean[]{ false, true }) measure(fast);
        String text = Json.write(json());
        ResultFiles.write(directory, text, LatencyPlot.svg("One-way delay by percentile", delays));
        return json ? text : table() + "\nplot and figures: " + directory + "\n";
    }

    private void measure(boolean fast) {
        String path = fast ? "fast path" : "slow path";
        progress.println(path + ": building a line, starting a node");
        Policy policy = Policy.OPEN.with("limits: { sessions-per-source: 0 }\ndatapath: { fast-path: " + fast + ", fast-path-after: 1 }\n");
        try (Line line = Line.build(policy)) {
            line.a().runOn(Integer.toString(JVM_CPU));
            line.a().start();
            line.a().awaitReady();
            // Through the fast path the load may come from the JVM's processor, which has nothing to do; Java needs its own.
            try (Generator generator = new Generator(line.client(), "eth0", line.server(), "eth0", line.a().host().macOf("left"),
                    line.a().host().macOf("right"), fast ? JVM_CPU : SENDER_CPU); Probe probe = new Probe(line, PROBE_FLOWS, SENDER_CPU)) {
                generator.burst(500);
                generator.run(Load.udp(LOAD_FLOWS), false, 20L * LOAD_FLOWS, 20_000);
                generator.expectProbes();
                probe.run(WARM_UP_MS, PROBES_PER_SECOND);
                generator.takeDelays();
                record(path + ", alone", generator, probe, line, 0, false);
                double most = fast ? generator.run(Load.udp(LOAD_FLOWS), false, 1_000_000, 0).receivedPerSecond() : 2.0 * SLOW_LOAD;
                generator.burst(fast ? 60_000 : 100);
                int half = (int) (most / 2);
                record(path + ", load of " + half / 1000 + ",000/s", generator, probe, line, half, false);
                record(path + ", alone, GC forced", generator, probe, line, 0, true);
                if (fast) record(path + ", load and GC", generator, probe, line, half, true);
            }
        }
    }

    private void record(String name, Generator generator, Probe probe, Line line, int load, boolean collect) {
        progress.println(name);
        if (load == 0) generator.expectProbes();
        Future<Generator.Result> running = load == 0
                ? null
                : generator.start(Load.udp(LOAD_FLOWS).besideProbes(), false, (long) load * (seconds + 1), load);
        Pause.ms(500);
        generator.takeDelays();
        Collector collector = collect ? new Collector(line.a().pid()) : null;
        long sent = probe.run(seconds * 1000L, PROBES_PER_SECOND);
        Pause.ms(100);
        Histogram histogram = generator.takeDelays();
        delays.put(name, histogram);
        lost.put(name, sent - histogram.getTotalCount());
        try {
            if (running != null) running.get();
            if (collector != null) collector.stop();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        } catch (java.util.concurrent.ExecutionException failed) {
            throw new LabException("the load failed", failed);
        }
    }

    /** Forces full collections until it is told to stop. */
    private static final class Collector {
        private final Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
        private final Thread thread;
        private volatile boolean running = true;

        Collector(long pid) {
            thread = Thread.ofPlatform().daemon().name("collect").start(() -> {
                while (running) {
                    Command.run("taskset", "-c", Integer.toString(JVM_CPU), jcmd.toString(), Long.toString(pid), "GC.run");
                    Pause.ms(GC_INTERVAL_MS);
                }
            });
        }

        void stop() throws InterruptedException {
            running = false;
            thread.join();
        }
    }

    private String table() {
        StringBuilder table = new StringBuilder(String.format(Locale.ROOT,
                "latency: one-way delay of 60-byte UDP in microseconds, %,d probes/s for %d s each; Linux %s%n%-32s", PROBES_PER_SECOND,
                seconds,
                System.getProperty("os.version"), ""));
        for (double percentile : PERCENTILES) table.append(String.format(Locale.ROOT, "%9s", "p" + text(percentile)));
        table.append(String.format("%10s%8s%n", "max", "lost"));
        delays.forEach((name, histogram) -> {
            table.append(String.format("%-32s", name));
            for (double percentile : PERCENTILES)
                table.append(String.format(Locale.ROOT, "%9.1f", histogram.getValueAtPercentile(percentile) / 1e3));
            table.append(String.format(Locale.ROOT, "%10.1f%8d%n", histogram.getMaxValue() / 1e3, lost.get(name)));
        });
        return table.append(verdict()).append('\n').toString();
    }

    private String verdict() {
        double without = p99("fast path, alone");
        double with = p99("fast path, alone, GC forced");
        return String.format(Locale.ROOT,
                "%npromised: the collector has no effect on the fast path; p99 %.1f us without it, %.1f us with it: %s", without, with,
                with - without <= NO_EFFECT_US ? "reached" : "NOT REACHED");
    }

    private double p99(String name) {
        Histogram histogram = delays.get(name);
        return histogram == null ? 0 : histogram.getValueAtPercentile(99) / 1e3;
    }

    private static String text(double percentile) {
        return percentile == Math.rint(percentile) ? Integer.toString((int) percentile) : Double.toString(percentile);
    }

    private Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("bench", "latency");
        json.put("kernel", System.getProperty("os.version"));
        json.put("probesPerSecond", PROBES_PER_SECOND);
        delays.forEach((name, histogram) -> {
            Map<String, Object> one = new LinkedHashMap<>();
            for (double percentile : PERCENTILES) one.put("p" + text(percentile) + "Us", histogram.getValueAtPercentile(percentile) / 1e3);
            one.put("maxUs", histogram.getMaxValue() / 1e3);
            one.put("samples", histogram.getTotalCount());
            one.put("lost", lost.get(name));
            json.put(name, one);
        });
        json.put("verdict", verdict().strip());
        return json;
    }
}

package io.ambo.hatests.drill;

import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Line;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Generator;
import io.ambo.hatests.traffic.Generator.Load;
import io.ambo.hatests.traffic.Generator.Result;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/** Established datagram flows through node a of a line, numbered and timed, and what becomes of them. */
final class FastFlows implements AutoCloseable {
    private static final int OPEN_PER_SECOND = 40_000, PASSES = 40, SOURCE_CPU = 0;

    private final DrillRun run;
    private final LabNode node;
    private final Generator generator;
    private final Load load;

    FastFlows(DrillRun run, Line line, int flows) {
        this.run = run;
        node = line.a();
        load = Load.udp(flows).withStamps();
        generator = new Generator(line.client(), "eth0", line.server(), "eth0", node.host().macOf("left"), node.host().macOf("right"),
                SOURCE_CPU);
    }

    Generator generator() { return generator; }

    /** Sends until the kernel forwards all of them. */
    void open() { open(load.flows()); }

    /** Sends until the kernel forwards so many of them. */
    void open(int inKernel) {
        generator.burst(1_000);
        long before = 0;
        long now = counter("forwarded");
        for (int pass = 0; pass < PASSES && now - before != inKernel; pass++) {
            before = now;
            generator.run(load, false, load.flows(), OPEN_PER_SECOND);
            Pause.ms(20);
            now = counter("forwarded");
        }
        run.check("the kernel forwards " + inKernel + " of " + load.flows() + " flows", now - before == inKernel,
                now - before + " forwarded in a pass");
        generator.burst(25_000);
    }

    Result send(long packets, int perSecond) { return generator.run(load, false, packets, perSecond); }

    Future<Result> start(long packets, int perSecond) { return generator.start(load, false, packets, perSecond); }

    Result await(Future<Result> sending) {
        try {
            return sending.get();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", interrupted);
        } catch (ExecutionException failed) {
            throw new IllegalStateException("the generator failed", failed.getCause());
        }
    }

    /** Records that nothing was lost. */
    void checkWhole(String when, Result result) {
        run.figure("packets/s " + when, result.sentPerSecond(), "packets/s");
        run.checkEqual("packets lost " + when + " (of " + result.sent() + ")", result.lost(), 0);
        run.checkEqual("numbers missing or out of order " + when, result.missing() + result.late(), 0);
    }

    long counter(String name) { return node.control().counters().getOrDefault(name, 0L); }

    @Override
    public void close() { generator.close(); }
}

package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Flood;
import io.ambo.proto.control.SessionFilter;
import java.time.Duration;

/** The kernel forwards established flows: a JVM that stands still does not touch them. */
final class JvmPause implements Drill {
    private static final int FLOWS = 1000, PAUSE_MS = 5_000, ROUND_MS = 2_000, HARVESTED_WITHIN_MS = 2_000;
    private static final Duration INSTALL_LIMIT = Duration.ofSeconds(20);

    @Override
    public String name() { return "jvm-pause"; }

    @Override
    public String shows() {
        return "a node whose JVM stands still for 5 s forwards 1,000 established flows at full load: no packet is lost, and the sessions have counted every"
                + " one of them, also those that were on their way to Java while their flow went to the kernel";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy.OPEN.with("limits:\n  sessions-per-source: 0\n"));
        lab.symmetric(lab.a());
        try (Flood flood = new Flood(lab, FLOWS)) {
            run.progress("opening " + FLOWS + " sessions");
            run.check("every session is in the kernel's flow cache", allInstalled(lab, flood), installed(lab) + " installed");
            measure(run, "while the JVM runs", flood.run(ROUND_MS));
            long forwarded = counter(lab, "forwarded");
            run.progress("SIGSTOP for " + PAUSE_MS / 1000 + " s");
            lab.a().pause();
            Flood.Round paused;
            try {
                paused = flood.run(PAUSE_MS);
            } finally {
                lab.a().resume();
            }
            measure(run, "while the JVM stands still", paused);
            measure(run, "after it goes on", flood.run(ROUND_MS));
            lab.a().awaitMembers(2);
            run.check("the kernel forwarded them", counter(lab, "forwarded") - forwarded >= paused.received(),
                    counter(lab, "forwarded") - forwarded + " of " + paused.received());
            Pause.ms(HARVESTED_WITHIN_MS);
            run.checkEqual("packets that the sessions have counted", counted(lab), flood.received());
        }
    }

    private static boolean allInstalled(Lab lab, Flood flood) {
        long deadline = System.nanoTime() + INSTALL_LIMIT.toNanos();
        while (installed(lab) < FLOWS && System.nanoTime() < deadline) flood.run(100);
        return installed(lab) >= FLOWS;
    }

    private static void measure(DrillRun run, String when, Flood.Round round) {
        run.figure("packets/s " + when, round.receivedPerSecond(), "packets/s");
        run.checkEqual("packets lost " + when + " (of " + round.sent() + ")", round.lost(), 0);
    }

    private static long installed(Lab lab) { return counter(lab, "flows_installed"); }

    private static long counted(Lab lab) {
        SessionFilter flood = SessionFilter.newBuilder().setDestinationPort(Flood.SERVER_PORT).build();
        return lab.a().control().sessions(flood).stream().mapToLong(each -> each.getOriginalTraffic().getPackets()).sum();
    }

    private static long counter(Lab lab, String name) { return lab.a().control().counters().getOrDefault(name, 0L); }
}

package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Conversations;
import java.util.List;

/** Redirect mode: packets of full size come in at the node that does not have their session, while the sync link has room for them with their header, and while it has not. */
final class RedirectMtu implements Drill {
    private static final int PORT = 7050, CONNECTIONS = 20, CHUNK_BYTES = 8 * 1024, INTERVAL_MS = 20, LIMIT_MS = 20_000, TALK_MS = 2_000,
            NOTICED_WITHIN_MS = 6_000;
    private static final int WIDE = 1_600, NARROW = 1_500;

    @Override
    public String name() { return "redirect-mtu"; }

    @Override
    public String shows() {
        return "redirect mode: segments of 1,500 bytes cross a sync link of 1,600 in the kernel, and one of 1,500 in fragments: no byte is lost, nothing is dropped in silence";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy.OPEN, new Lab.Shape(2, "redirect"));
        int count = run.scaled(CONNECTIONS);
        NetStat before = NetStat.of(lab.server());
        try (Conversations live = new Conversations(lab, PORT, count, CHUNK_BYTES, INTERVAL_MS)) {
            talk(run, lab, live, "over a sync link of " + WIDE);
            run.checkEqual("packets sent in fragments over a sync link of " + WIDE, sum(lab, "redirect_sent_in_fragments"), 0);
            long kernel = sum(lab, "redirected_in_kernel");
            run.check("the kernels hand them over", kernel > 0, kernel + " packets");

            run.progress("a sync link of " + NARROW);
            for (LabNode node : lab.nodes()) lab.syncMtu(node, NARROW);
            run.check("ambo status says so", DrillRun.await(LIMIT_MS, () -> lab.a().status().getWarningsList().stream()
                    .anyMatch(each -> each.contains("the sync link's MTU is " + NARROW))), lab.a().status().getWarningsList().toString());
            talk(run, lab, live, "over a sync link of " + NARROW);
            long fragments = sum(lab, "redirect_sent_in_fragments");
            run.check("what does not fit goes in fragments", fragments > 0, fragments + " packets");

            for (LabNode node : lab.nodes()) lab.syncMtu(node, WIDE);
            Pause.ms(NOTICED_WITHIN_MS);
            long soFar = sum(lab, "redirect_sent_in_fragments");
            talk(run, lab, live, "over a sync link of " + WIDE + " again");
            run.checkEqual("packets sent in fragments from then on", sum(lab, "redirect_sent_in_fragments") - soFar, 0);
            run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), count);
            List<String> failures = live.failures();
            run.check("no connection met with an error", failures.isEmpty(),
                    failures.isEmpty() ? "none" : failures.size() + ", the first: " + failures.getFirst());
        }
        run.figure("segments that the server sent again", NetStat.of(lab.server()).since(before, "Tcp.RetransSegs"), "segments");
        for (LabNode node : lab.nodes()) node.control().counters().forEach((name, value) -> {
            if (name.startsWith("dropped_redirect")) run.checkEqual(name + " of " + node.name(), value, 0);
        });
    }

    private static void talk(DrillRun run, Lab lab, Conversations live, String how) {
        live.forgetSilences();
        Pause.ms(TALK_MS);
        run.checkEqual("connections that talk both ways " + how, live.awaitProgress(LIMIT_MS), live.size());
        run.latency("longest silence of a connection " + how, live.silences());
        run.figure("segments that the server sent again so far " + how, NetStat.of(lab.server()).get("Tcp.RetransSegs"), "segments");
        run.figure("segments refused so far " + how, sum(lab, "tcp_out_of_window") + sum(lab, "tcp_ack_out_of_window"), "segments");
    }

    private static long sum(Lab lab, String counter) {
        return lab.nodes().stream().mapToLong(node -> node.control().counters().getOrDefault(counter, 0L)).sum();
    }
}

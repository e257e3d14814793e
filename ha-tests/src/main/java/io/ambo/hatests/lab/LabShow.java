package io.ambo.hatests.lab;

import java.io.PrintStream;

/** The whole story, for somebody who sees Ambo for the first time. */
final class LabShow {
    private final PrintStream out;

    LabShow(PrintStream out) { this.out = out; }

    void run() {
        try (Lab lab = Lab.build(Policy.OPEN)) {
            out.println("lab " + lab.id());
            lab.forwardInKernel(true);
            out.println(lab.client().run("ping", "-c2", "-i0.1", Addresses.SERVER));
            out.println(lab.client().run("ping", "-c2", "-i0.1", Addresses.SERVER6));
            out.println(lab.client().run("ip", "route"));
            out.println(NetStat.of(lab.client()).get("TcpExt.TCPSynRetrans"));
        }
    }
}

package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.traffic.Link;
import java.util.List;

/** An idle session ends: are the two ends told? */
final class TimeoutReset implements Drill {
    private static final int RESET_PORT = 7050, FORGET_PORT = 7051;
    private static final int LIMIT_MS = 8_000;

    @Override
    public String name() { return "timeout-reset"; }

    @Override
    public String shows() {
        return "where a rule says on-timeout: reset, both ends of an idle TCP connection get an RST that they believe; elsewhere neither does";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy
                .of("""
                        firewall:
                          default: drop
                          rules:
                            - { name: told, from: clients, to: servers, protocol: tcp, ports: [7050], action: allow, timeout: 2s, on-timeout: reset }
                            - { name: not-told, from: clients, to: servers, protocol: tcp, ports: [7051], action: allow, timeout: 2s, on-timeout: forget }
                        """));
        for (String path : List.of("asymmetric", "symmetric")) {
            if (path.equals("symmetric")) lab.symmetric(lab.a());
            run.progress(path + " path: connections that talk, then fall silent");
            try (Link told = new Link(lab, Addresses.SERVER, RESET_PORT);
                    Link told6 = new Link(lab, Addresses.SERVER6, RESET_PORT);
                    Link forgotten = new Link(lab, Addresses.SERVER, FORGET_PORT);
                    Link forgotten6 = new Link(lab, Addresses.SERVER6, FORGET_PORT)) {
                List<Link> links = List.of(told, told6, forgotten, forgotten6);
                for (Link link : links) run.check(path + ": bytes pass on " + link.name(), link.passesBothWays(5_000), "asked");
                long idleSinceNs = System.nanoTime();
                for (Link link : List.of(told, told6)) {
                    String ends = link.awaitReset(LIMIT_MS);
                    run.check(path + ": both ends of " + link.name() + " are reset", ends.equals("client server"),
                            "reset: " + (ends.isEmpty() ? "neither" : ends));
                }
                run.figure(path + ": told after idle for", (System.nanoTime() - idleSinceNs) / 1e6, "ms");
                for (Link link : List.of(forgotten, forgotten6)) {
                    String ends = link.awaitReset(2_000);
                    run.check(path + ": neither end of " + link.name() + " is told", ends.isEmpty(),
                            "reset: " + (ends.isEmpty() ? "neither" : ends));
                    run.check(path + ": no byte passes on " + link.name() + " once its session is forgotten", !link.passesBothWays(1_500),
                            "asked");
                }
            }
        }
    }
}

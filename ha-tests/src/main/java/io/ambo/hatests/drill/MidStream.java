package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.traffic.Link;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionFilter;
import java.util.List;

/** Connections that were there before Ambo was: the rule says whether they may go on. */
final class MidStream implements Drill {
    private static final int REFUSED_PORT = 7040, ACCEPTED_PORT = 7041;

    @Override
    public String name() { return "mid-stream"; }

    @Override
    public String shows() {
        return "a connection that Ambo did not see begin goes on where the rule says mid-stream: accept, and nowhere else";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.lab(Policy.of("""
                firewall:
                  default: drop
                  rules:
                    - { name: old-ones, from: clients, to: servers, protocol: tcp, ports: [7041], action: allow, mid-stream: accept }
                    - { name: new-ones, from: clients, to: servers, protocol: tcp, ports: [7040], action: allow }
                """));
        run.progress("two connections in each IP version while the kernels of a and b forward");
        lab.forwardInKernel(true);
        try (Link accepted = new Link(lab, Addresses.SERVER, ACCEPTED_PORT);
                Link accepted6 = new Link(lab, Addresses.SERVER6, ACCEPTED_PORT);
                Link refused = new Link(lab, Addresses.SERVER, REFUSED_PORT);
                Link refused6 = new Link(lab, Addresses.SERVER6, REFUSED_PORT)) {
            for (Link link : List.of(accepted, accepted6, refused, refused6))
                run.check("before Ambo: bytes pass on " + link.name(), link.passesBothWays(5_000), "yes or no");
            lab.forwardInKernel(false);
            run.progress("now Ambo starts on a and b");
            lab.startNodes();
            for (Link link : List.of(accepted, accepted6)) {
                boolean passes = link.passesBothWays(20_000);
                run.check("mid-stream: accept, bytes pass on " + link.name(), passes, passes ? "they pass" : "they do not");
            }
            for (Link link : List.of(refused, refused6)) {
                boolean passes = link.passesBothWays(3_000);
                run.check("mid-stream: refuse, no byte passes on " + link.name(), !passes, passes ? "they pass" : "they do not");
            }
            List<Session> sessions = lab.a().control().sessions(SessionFilter.newBuilder().setProtocol(6).build());
            run.check("a knows the two accepted connections, as mid-stream ones",
                    sessions.size() == 2 && sessions.stream().allMatch(Session::getMidStream),
                    sessions.size() + " sessions, " + sessions.stream().filter(Session::getMidStream).count() + " of them mid-stream");
        }
    }
}

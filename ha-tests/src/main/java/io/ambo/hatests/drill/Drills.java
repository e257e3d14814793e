package io.ambo.hatests.drill;

import java.util.List;
import java.util.stream.Collectors;

/** All drills there are. */
public final class Drills {
    public static final List<Drill> ALL = List.of(new AsymmetricHandshakes("sync"), new AsymmetricHandshakes("redirect"), new RedirectMtu(),
            new ThreeNodesRedirect(),
            new KillOwner(), new WarmRestart(), new LateJoiner(),
            new FailClosed(),
            new MidStream(), new TimeoutReset(), new OutOfWindow(), new Reload(), new JvmPause(), new JvmDeath(), new HitlessRestart(),
            new CacheFull(), new RouteChange(),
            new PolicyReloadRemoves(), new Translated(), new PowerOff(), new PartitionHeal(), new OneWayLink(), new SyncLoss(),
            new SyncAttack(), new SyncCut(), new SlowPeer(), new HostClockJump(),
            new JvmPauseNoFlap(), new DrainNode("sync"), new Rejoin("sync"), new RollingUpgrade("sync"), new DrainNode("redirect"),
            new Rejoin("redirect"),
            new RollingUpgrade("redirect"));

    private Drills() {}

    /** @throws IllegalArgumentException when there is none of that name */
    public static Drill byName(String name) {
        return ALL.stream().filter(drill -> drill.name().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no drill " + name
                        + "; there are " + ALL.stream().map(Drill::name).collect(Collectors.joining(", "))));
    }
}

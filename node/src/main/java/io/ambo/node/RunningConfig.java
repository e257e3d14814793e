package io.ambo.node;

import io.ambo.cluster.ClusterKey;
import io.ambo.node.config.Config;
import io.ambo.node.config.ConfigDiff;
import io.ambo.node.config.ConfigLoader;
import io.ambo.node.config.LinuxHostFacts;
import io.ambo.node.config.Loaded;
import io.ambo.node.config.RuleConfig;
import io.ambo.node.firewall.Names;
import io.ambo.proto.control.Reload;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** The config in force, and its replacement: read whole, checked whole, then put into force whole, or not at all. */
final class RunningConfig {
    private static final Logger LOG = LogManager.getLogger();

    private final Path file;
    private final KeyFile keys;
    private volatile Config config;
    private volatile long sinceNs = System.nanoTime();
    private Consumer<Config> listener = ignored -> {};

    RunningConfig(Path file, Config config, KeyFile keys) {
        this.file = file;
        this.keys = keys;
        this.config = config;
    }

    /** Who puts a new config into force. Set once, before the first reload. */
    synchronized void onChange(Consumer<Config> newListener) {
        listener = newListener;
    }

    Config config() { return config; }

    Path file() { return file; }

    /** Of the cluster's keys in force, the one that seals first. */
    synchronized List<String> keyFingerprints() {
        return keys.key().fingerprints();
    }

    long ageMs() { return (System.nanoTime() - sinceNs) / 1_000_000; }

    String ruleName(int id) {
        if (id == Names.DEFAULT_RULE) return "default";
        for (RuleConfig rule : config.firewall().rules()) if (Names.ruleId(rule.name()) == id) return rule.name();
        return "rule#" + Integer.toUnsignedString(id);
    }

    String zoneName(int id) {
        for (var each : config.interfaces()) if (Names.zoneId(each.zone()) == id) return each.zone();
        return "zone#" + id;
    }

    synchronized Reload reload(boolean dryRun) {
        Reload.Builder answer = Reload.newBuilder();
        switch (ConfigLoader.load(file, new LinuxHostFacts())) {
            case Loaded.Refused refused -> refused.problems().forEach(problem -> answer.addProblems(problem.toString()));
            case Loaded.Accepted accepted -> {
                ConfigDiff diff = ConfigDiff.between(config, accepted.config());
                diff.changes().forEach(change -> answer.addChanges(change.toString()));
                diff.needingRestart().forEach(change -> answer.addRestartChanges(change.toString()));
                ClusterKey changedKeys = null;
                try {
                    changedKeys = keys.changed();
                } catch (IllegalArgumentException bad) {
                    return answer.addProblems(String.valueOf(bad.getMessage())).build();
                }
                if (changedKeys != null)
                    answer.addChanges(
                            "cluster.key-file: keys " + keyFingerprints() + " -> " + changedKeys.fingerprints() + ", the first seals");
                if (diff.needingRestart().isEmpty() && !dryRun) {
                    listener.accept(accepted.config());
                    if (changedKeys != null) keys.apply(changedKeys);
                    config = accepted.config();
                    sinceNs = System.nanoTime();
                    answer.setApplied(true);
                    LOG.info("config reloaded from {}: {} changes", file, answer.getChangesCount());
                }
            }
        }
        return answer.build();
    }
}

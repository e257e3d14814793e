package io.ambo.node;

import com.google.protobuf.InvalidProtocolBufferException;
import io.ambo.cluster.Cluster;
import io.ambo.cluster.EventLog;
import io.ambo.cluster.membership.NodeId;
import io.ambo.node.config.ClusterWide;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.Scope;
import io.ambo.proto.control.StatusRequest;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletionException;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** Names in log and events which settings differ between this node and a peer, where the cluster needs equal ones. Any thread. */
final class SettingsCheck {
    private static final Logger LOG = LogManager.getLogger();
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    private static final int LONGEST_VALUE = 120;

    private final Cluster cluster;
    private final RunningConfig running;

    SettingsCheck(Cluster cluster, RunningConfig running) {
        this.cluster = cluster;
        this.running = running;
    }

    /** The peer's settings have another digest: asks it for them, and returns at once. */
    void onDifference(NodeId peer) {
        byte[] request = Request.newBuilder().setScope(Scope.LOCAL).setStatus(StatusRequest.getDefaultInstance()).build().toByteArray();
        Thread.ofVirtual().name("ambo-settings").start(() -> {
            try {
                compare(peer, cluster.ask(peer, request, TIMEOUT).join());
            } catch (CompletionException silent) {
                LOG.warn("settings that must be equal differ from those of {}, which does not say what they are: {}", peer,
                        String.valueOf(silent.getCause()));
            }
        });
    }

    private void compare(NodeId peer, byte[] answer) {
        Map<String, String> theirs = new LinkedHashMap<>();
        try {
            Response.parseFrom(answer).getNodesList()
                    .forEach(node -> node.getStatus().getClusterSettingsList().forEach(each -> theirs.put(each.getKey(), each.getValue())));
        } catch (InvalidProtocolBufferException e) {
            LOG.warn("settings that must be equal differ from those of {}, whose answer is not understood", peer);
            return;
        }
        Map<String, String> ours = ClusterWide.settings(running.config());
        TreeSet<String> keys = new TreeSet<>(ours.keySet());
        keys.addAll(theirs.keySet());
        for (String key : keys) {
            String here = shown(ours.getOrDefault(key, "absent"));
            String there = shown(theirs.getOrDefault(key, "absent"));
            if (here.equals(there)) continue;
            LOG.warn("a setting that must be equal differs: {}: {} here, {} on {}", key, here, there, peer);
            cluster.events().add(EventLog.Kind.CONFIG, key + " differs: " + here + " here, " + there + " on " + peer);
        }
    }

    private static String shown(String value) {
        if (value.isEmpty()) return "nothing";
        return value.length() <= LONGEST_VALUE ? value : value.substring(0, LONGEST_VALUE) + "...";
    }
}

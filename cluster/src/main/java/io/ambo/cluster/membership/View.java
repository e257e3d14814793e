package io.ambo.cluster.membership;

import java.util.List;

/**
 * Who is in the cluster, as one step of the membership protocol.
 *
 * @param id      grows with every view this node installs
 * @param local   this node
 * @param members all nodes, this one included, the longest-standing first
 */
public record View(long id, NodeId local, List<NodeId> members) {
    public View {
        members = List.copyOf(members);
    }

    public boolean contains(int nodeId) {
        for (int i = 0; i < members.size(); i++) if (members.get(i).value() == nodeId) return true;
        return false;
    }

    /** True when nobody else is there. */
    public boolean alone() { return members.size() <= 1; }
}

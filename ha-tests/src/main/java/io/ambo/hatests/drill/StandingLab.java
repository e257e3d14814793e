package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Policy;
import org.jspecify.annotations.Nullable;

/**
 * A lab that outlives its drill: two JVMs take ten seconds until they forward, and most drills less than that. Only a lab whose drill has passed stays, healed; whatever is wrong with it
 * afterwards, a new one is built.
 */
final class StandingLab implements AutoCloseable {
    private record Standing(Lab lab, Policy policy, Lab.Shape shape) {}

    private final boolean wanted;
    private @Nullable Standing standing;

    /** @param wanted whether another drill follows */
    StandingLab(boolean wanted) { this.wanted = wanted; }

    /** @return null when there is none like that, or it is not whole: then a new one has to be built */
    @Nullable
    Lab take(Policy policy, Lab.Shape shape) {
        Standing left = standing;
        standing = null;
        if (left == null) return null;
        if (left.policy.equals(policy) && left.shape.equals(shape) && isWhole(left.lab)) return left.lab;
        left.lab.close();
        return null;
    }

    /** A drill is done with it. */
    void leave(Lab lab, Policy policy, Lab.Shape shape, boolean passed) {
        close();
        if (!wanted || !passed) {
            lab.close();
            return;
        }
        try {
            lab.heal();
            standing = new Standing(lab, policy, shape);
        } catch (LabException beyondRepair) {
            lab.close();
        }
    }

    private static boolean isWhole(Lab lab) {
        try {
            return lab.nodes().stream().allMatch(LabNode::isRunning) && DrillRun.await(10_000,
                    () -> lab.nodes().stream().allMatch(node -> node.status().getGate().getOpen()
                            && node.status().getViewCount() == lab.nodes().size()));
        } catch (LabException notWhole) {
            return false;
        }
    }

    @Override
    public void close() {
        Standing left = standing;
        standing = null;
        if (left != null) left.lab.close();
    }
}

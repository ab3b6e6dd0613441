package consult

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// RuleTrial is a simulation of a draft rule pack: what would come out otherwise if it lay over the rules in force. A local pack
// comes into force by the operator's folder (YUANZHEN_RULES) at the next start, and only one that was simulated (KeepLaw).
type RuleTrial struct {
	PolicySimulation
	Pack   string `json:"pack"`
	SHA256 string `json:"sha256" doc:"Of the rule set with the pack"`
}

// TryRules simulates a draft pack over the stored decisions of the own place and keeps what came out. A pack that does not load, or
// whose stories do not hold, is not simulated.
func (s *Service) TryRules(ctx context.Context, pack eligibility.Pack, days int) (t RuleTrial, err error) {
	wrong := func(err error) error {
		return fault.New(fault.Invalid, "rules_unusable", "规则包不能用："+err.Error(), "The rule pack can't be used: "+err.Error()).
			WithRemedy("请改正规则文件后再试。", "Please correct the rule files and try again.")
	}
	place, err := answeringPlace(authz.ScopeFrom(ctx).Places(), nil)
	if err != nil {
		return t, err
	}
	rules, err := s.Rules.With(pack)
	if err == nil && len(pack.Files) == 0 {
		err = fmt.Errorf("%s holds no rule", pack.Name)
	}
	if err != nil {
		return t, wrong(err)
	}
	if found := rules.Lint(); len(found) > 0 {
		return t, wrong(found[0])
	}
	began := time.Now() // how long it takes is no matter of the house's clock
	err = s.inTx(ctx, func(tx tx) error {
		known, err := s.policies(ctx, tx)
		if err != nil {
			return err
		}
		sim := eligibility.Simulate(eligibility.Law{Rules: s.Rules, Policies: known}, eligibility.Law{Rules: rules, Policies: known})
		now := s.Now()
		if err := eachDecision(ctx, tx, place, now.AddDate(0, 0, -days), now, sim.Add); err != nil {
			return err
		}
		t = RuleTrial{PolicySimulation{At: now, By: authz.SubjectFrom(ctx).Name, Days: days, RuleSet: rules.Version(),
			TookMS: int(time.Since(began).Milliseconds()), Result: sim.Result()}, pack.Name, rules.Hash()}
		if t.Doctors, err = doctorNames(ctx, tx, t.Result); err != nil {
			return err
		}
		return s.keepTrial(ctx, tx, t, pack, place, authz.SubjectFrom(ctx).Account)
	})
	return t, err
}

// KeepTrial records what the operator's command found over the decisions of the whole house.
func (s *Service) KeepTrial(ctx context.Context, pack eligibility.Pack, rules *eligibility.RuleSet, days int, result eligibility.Simulated, took time.Duration) error {
	ctx = authz.WithScope(ctx, authz.System("rules.simulate"))
	t := RuleTrial{PolicySimulation{At: s.Now(), Days: days, RuleSet: rules.Version(), TookMS: int(took.Milliseconds()), Result: result}, pack.Name, rules.Hash()}
	return s.inTx(ctx, func(tx tx) error { return s.keepTrial(ctx, tx, t, pack, ids.Institution{}, ids.Account{}) })
}

func (s *Service) keepTrial(ctx context.Context, tx tx, t RuleTrial, pack eligibility.Pack, place ids.Institution, by ids.Account) error {
	result, err := json.Marshal(t.Result)
	if err != nil {
		return err
	}
	files, err := json.Marshal(pack)
	if err != nil {
		return err
	}
	if err := insertTrial(ctx, tx, t, files, result, place, by); err != nil {
		return err
	}
	return audit.Write(ctx, tx, audit.Entry{Action: "rules.simulate", Object: "rule_set/" + t.SHA256, Place: place, Reason: t.Pack})
}

// RuleTrials lists the simulations of draft packs within the scope, and the operator's, the newest first.
func (s *Service) RuleTrials(ctx context.Context) (list []RuleTrial, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectTrials(ctx, tx, authz.ScopeFrom(ctx))
		return err
	})
	return list, err
}

// simulated refuses a local pack that has never been in force nor simulated, once there are decisions to simulate it over.
func simulated(ctx context.Context, tx tx, rules *eligibility.RuleSet) error {
	for _, pack := range rules.Packs()[1:] {
		text, err := json.Marshal(pack)
		if err != nil {
			return err
		}
		known, err := knownPack(ctx, tx, text)
		if err != nil {
			return err
		}
		if !known {
			return fmt.Errorf("规则包 rule pack %s: 这些文件没有模拟过，不能启用 these very files were never simulated. Simulate them on the page 规则 Rules of the workspace, or: yuanzhen eligibility simulate --draft-rules DIR", pack.Name)
		}
	}
	return nil
}

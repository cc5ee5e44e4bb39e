package nn

// Approach moves parameters by a share of the way towards others of the same shapes: in each
// step of learning, that makes a running mean of them. All the way is a copy.
func Approach(mean, others []*Parameter, share float64) {
	for i, p := range others {
		to := mean[i].Data
		if share == 1 {
			copy(to, p.Data)
			continue
		}
		for j, w := range p.Data {
			to[j] += float32(share) * (w - to[j])
		}
	}
}

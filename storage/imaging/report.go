package imaging

import (
	"bytes"
	"context"
	"fmt"

	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging/dicom"
)

// KeepReport stores what was marked on images of the institution into their study: measurements, key images and what
// was drawn, each a series of its own. Done again with the same report it changes nothing.
func (s *Service) KeepReport(ctx context.Context, place ids.Institution, study string, measurements, keys, drawings dicom.Report) error {
	sops := []string{}
	for _, m := range measurements.Marks {
		sops = append(sops, m.SOP)
	}
	images, err := s.marked(ctx, place, study, sops)
	if err != nil {
		return err
	}
	heads := map[string]*dicom.File{}
	for _, i := range images {
		f, err := s.opened(ctx, i)
		if err != nil {
			return err
		}
		heads[i.SOP], err = f.head()
		f.Close()
		if err != nil {
			return err
		}
	}
	measurements.Images, keys.Images, drawings.Images = heads, heads, heads
	files, err := drawings.Presentations()
	if err != nil {
		return err
	}
	for _, write := range []func() ([]byte, error){measurements.Measurements, keys.KeyImages} {
		file, err := write()
		if err != nil {
			return err
		}
		if file != nil {
			files = append(files, file)
		}
	}
	for _, file := range files {
		receipt, err := s.Store(ctx, place, bytes.NewReader(file))
		if err != nil {
			return err
		}
		if !receipt.Stored {
			return fmt.Errorf("report %s was not taken: %s", receipt.SOP, receipt.Say.EN)
		}
	}
	return nil
}
